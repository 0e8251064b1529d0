// The stories and ids of a packed model, as the page's worker computes them, for comparisons with Python:
//
//   node tests/web/tell.js MODEL.inkling < CALLS > ANSWERS
//
// CALLS is { plain, calls: [[name, request], ...] } as JSON; `plain` takes the kernel in plain JavaScript.
// "write" answers { streams, ended } with the ids of each stream, "encode" answers [ids, text] of each text.

import { readFileSync } from "node:fs";
import { ROOT, own } from "./modules.js";

const SLOTS = 10; // as in source.js

const { Kernel, idsAt, unpacked } = await own("kernel");
const { PlainKernel } = await own("plain_kernel");
const { Ids } = await own("sampler");
const { Storyteller } = await own("storyteller");
const { Tokenizer } = await own("tokenizer");

const { plain, calls } = JSON.parse(readFileSync(0, "utf-8"));
const packed = unpacked(readFileSync(process.argv[2]));
const { header, data } = packed;
const code = readFileSync(new URL("playground/browser/kernel.wasm", ROOT));
const kernel = plain ? new PlainKernel(packed, SLOTS) : await Kernel.open(code, packed, SLOTS);
const [merges, made] = [idsAt(data, header.tokenizer.merges), idsAt(data, header.tokenizer.made)];
const tokenizer = new Tokenizer({ ...header.tokenizer, merges, made }, header.vocabulary);
const ids = new Ids(idsAt(data, header.unique_of), kernel.unique);
const storyteller = new Storyteller(kernel, tokenizer, ids, idsAt(data, header.rows_of), header, SLOTS);

function write(request) {
  const streams = request.seeds.map(() => []);
  let first = null, typed = 0, ended = [], begins = "";
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

const answers = { write, encode };
process.stdout.write(JSON.stringify(calls.map(([name, request]) => answers[name](request))));
