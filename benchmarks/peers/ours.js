// Our worker, with the odds of every word.
// IDS, PROMPT, LENGTH and the model's sizes are put before this by benchmarks/browser.py.

import { WorkerSource } from "./web/sources/local/source.js";
const { model, models } = await (await fetch("start.json")).json();
const source = new WorkerSource(model, () => {});
const settings = { temperature: 0, top_k: 40, top_p: 1, min_p: 0, repetition_penalty: 1,
  length: LENGTH, banned_words: [], stop_at_end: false };
window.run = async () => {
  const request = { model: models[0].name, ids: IDS, text: "", token_id: null, settings, seeds: [1], opening: -1 };
  let first = 0, last = 0, count = 0;
  for await (const { new: found } of source.write(request)) {
    if (!found.length) continue;
    last = performance.now();
    first ||= last;
    count += found[0][3].length;
  }
  return (count - 1) / (last - first) * 1000;
};
