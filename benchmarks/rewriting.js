// How often the first sentence that "Rewrite this sentence" offers makes the rest of a story at least as likely as
// the sentence that stood there.
//
//   python -c "from playground.browser.pack import pack; from playground.folder.model_folder import ModelFolder; \
//     open('/tmp/storyteller.inkling', 'wb').write(pack(ModelFolder.open('models/storyteller', device='cpu')).content)"
//   node benchmarks/rewriting.js /tmp/storyteller.inkling [--stories 50] [--first 0] [--show 3]
//
// Of each story that the model wrote, a sentence that it wrote in the middle is rewritten, as the page does
// (web/story/rewriting.js). The rest is what comes after it, to the story's end.

import { readFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openCore, web } from "../tests/web/modules.js";

const PROMPTS = ["Once upon a time", "One day", "There was a little", "Tom and Lily"];
const LENGTH = 200,
  SLOTS = 10;

const { opened } = await web("sources/local/packed_model");
const { rewrite } = await web("story/rewriting");
const { sentenceAt } = await web("story/sentences");
const { defaults } = await web("sampling/settings");
const { textOf } = await web("story/tree");

/** A storyteller as the page's source has it, without a worker. */
export const sourceOf = (storyteller) => ({
  async *write(request) {
    yield* storyteller.write(request);
  },
  score: async (request) => storyteller.score(request),
  record: async (request) => storyteller.record(request),
});

/** The tokens of a story, the typed ones with run -1. */
export async function storyOf(source, number) {
  const settings = { ...defaults(), length: LENGTH };
  const tokens = [];
  let typed = 0;
  const request = { ids: [], text: PROMPTS[number % PROMPTS.length], settings, seeds: [number], opening: -1 };
  for await (const message of source.write(request)) {
    typed = message.typed ?? typed;
    for (const [, texts, surprises, ids] of message.new)
      texts.forEach((t, k) => tokens.push({ t, s: surprises[k], i: ids[k], r: -1 }));
  }
  return tokens.map((token, k) => ({ ...token, r: k < typed ? -1 : 0 }));
}

/** A sentence near the middle of a story, and what the page would offer for it. */
export async function rewritten(source, number) {
  const tokens = await storyOf(source, number);
  const [from, to] = sentenceAt(tokens, Math.floor(tokens.length / 2));
  const place = { model: "", tokens, from, to, settings: defaults(), seed: number };
  return { tokens, from, to, proposals: await rewrite(source, place, new AbortController().signal) };
}

async function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: Object.fromEntries(
      [["stories", "50"], ["first", "0"], ["show", "0"]].map(([name, value]) => [name, { type: "string", default: value }]),
    ),
  });
  const source = sourceOf(opened(await openCore(), new Uint8Array(readFileSync(positionals[0])), SLOTS));
  const began = performance.now();
  let good = 0,
    gains = 0,
    offered = 0;
  const count = Number(values.stories);
  for (let k = 0; k < count; k += 1) {
    const { tokens, from, to, proposals } = await rewritten(source, Number(values.first) + k);
    offered += proposals.length;
    good += proposals[0].gain >= 0;
    gains += proposals[0].gain;
    if (k >= Number(values.show)) continue;
    console.log(`\n${textOf(tokens.slice(0, from))}\n  [${textOf(tokens.slice(from, to))} ]`);
    for (const one of proposals) console.log(`  ${one.gain.toFixed(2)} (${one.kept} kept${one.run ? "" : ", one word"})${textOf(one.tokens)}`);
    console.log(textOf(tokens.slice(to)));
  }
  const seconds = (performance.now() - began) / 1000 / count;
  console.log(`\nat least as likely: ${good} of ${count}; ${(gains / count).toFixed(2)} nats more likely on average`);
  console.log(`${(offered / count).toFixed(1)} sentences offered, ${seconds.toFixed(1)} s for each with its story`);
}

if (process.argv[1] === import.meta.filename) await main();
