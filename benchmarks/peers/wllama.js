// wllama: llama.cpp, one thread.
// IDS, PROMPT, LENGTH and the model's sizes are put before this by benchmarks/browser.py.

import { Wllama } from "./node_modules/@wllama/wllama/esm/index.js";
const wllama = new Wllama({ default: "./node_modules/@wllama/wllama/esm/wasm/wllama.wasm" });
await wllama.loadModelFromUrl(new URL("model.gguf", location.href).href, { n_threads: 1, n_ctx: 512 });
window.run = async () => {
  let first = 0, count = 0;
  const chunks = await wllama.createCompletion({ prompt: PROMPT, max_tokens: LENGTH, temperature: 0, ignore_eos: true, stream: true });
  for await (const chunk of chunks) { count += 1; if (count === 1) first = performance.now(); }
  return (count - 1) / (performance.now() - first) * 1000;
};
