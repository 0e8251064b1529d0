// The stories and ids of a packed model, as the page's worker computes them, for comparisons with Python:
//
//   node tests/web/tell.js MODEL.inkling < CALLS > ANSWERS
//
// CALLS is { calls: [[name, request], ...] } as JSON. "write" answers { streams, ended } with the ids of each
// stream, "record" a story's record, "encode" [ids, text] of each text, "candidates" what the bars are made of.

import { readFileSync } from "node:fs";
import { openCore, web } from "./modules.js";

const SLOTS = 10; // as in source.js

const { opened } = await web("sources/local/packed_model");

const { calls } = JSON.parse(readFileSync(0, "utf-8"));
const storyteller = opened(await openCore(), new Uint8Array(readFileSync(process.argv[2])), SLOTS);
const { tokenizer } = storyteller;

function write(request) {
  const streams = request.seeds.map(() => []);
  let first = null,
    typed = 0,
    ended = [],
    begins = "";
  for (const message of storyteller.write(request)) {
    for (const [stream, , , own] of message.new) streams[stream].push(...own);
    first ??= message.typed; // tokens of the text, which the first stream alone has
    typed = message.typed ?? typed;
    begins = message.begins_with ?? begins;
    ended = message.ended ?? ended;
  }
  return { streams: streams.map((one, k) => one.slice(k ? typed - first : typed)), ended, begins };
}

function encode(texts) {
  return texts.map((text) => {
    const found = tokenizer.encode(text);
    return [found, found.map(tokenizer.letterByLetter()).join("")];
  });
}

const record = (request) => storyteller.record(request);
const candidates = (request) => storyteller.candidates(request);
const answers = { write, record, encode, candidates };
process.stdout.write(JSON.stringify(calls.map(([name, request]) => answers[name](request))));
