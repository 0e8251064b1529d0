// Byte-level BPE with a small table; all of GPT-2's table is compared with the library in
// tests/playground/browser/test_storyteller.py.

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { Tokenizer } = await web("sources/local/tokenizer");

const BYTES = Array.from({ length: 256 }, (_, byte) => byte);
const of = (letter) => letter.charCodeAt(0);
// "th", "the", " t", "an", "and" as ids 256 to 260; "<|end|>" and a silent "<|pad|>".
const MERGES = [of("t"), of("h"), 256, of("e"), of(" "), of("t"), of("a"), of("n"), 259, of("d")];
const tokenizer = (pattern = "gpt2") =>
  new Tokenizer(
    {
      pattern,
      letters: BYTES,
      merges: MERGES,
      made: [256, 257, 258, 259, 260],
      added: [
        [261, "<|end|>", false],
        [262, "<|pad|>", true],
      ],
    },
    263,
  );

test("pairs are merged in the order of the table", () => {
  const { encode } = tokenizer();
  const ids = (text) => encode.call(tokenizer(), text);
  assert.deepEqual(ids("the"), [257]);
  assert.deepEqual(ids(" the"), [32, 257]); // "th" comes before " t"
  assert.deepEqual(ids(" t"), [258]);
  assert.deepEqual(ids("andand"), [260, 260]);
  assert.deepEqual(ids(""), []);
  assert.deepEqual(ids("ß"), [195, 159]);
});

test("added tokens are found before a text is split", () => {
  const made = tokenizer();
  assert.deepEqual(made.encode("the<|end|>the<|pad|>"), [257, 261, 257, 262]);
  assert.deepEqual(made.encode("<|end|"), [...new TextEncoder().encode("<|end|")]);
  assert.equal(new TextDecoder().decode(made.bytesOf(261)), "<|end|>");
  assert.equal(made.bytesOf(262).length, 0); // silent
});

test("words are split as the pattern says", () => {
  const words = (pattern, text) => [...text.matchAll(tokenizer(pattern).words)].map(([word]) => word);
  assert.deepEqual(words("gpt2", "don't  stop 12 cats!!\n\n"), [
    "don",
    "'t",
    " ",
    " stop",
    " 12",
    " cats",
    "!!",
    "\n\n",
  ]);
  assert.deepEqual(words("own", "don't  stop 12 cats!!\n\n"), [
    "don",
    "'t",
    " ",
    " stop",
    " ",
    "1",
    "2",
    " cats",
    "!!\n\n",
  ]);
  assert.deepEqual(words("gpt2", "a\u0085b\ufeffc"), ["a", "\u0085", "b", "\ufeff", "c"]); // Rust's \s, not JavaScript's
});

test("letters of several bytes come when they are whole", () => {
  const made = tokenizer();
  const add = made.letterByLetter();
  assert.deepEqual(made.encode("🦊!").map(add), ["", "", "", "🦊", "!"]);
  assert.equal(made.label(240), "<f0>");
  assert.equal(made.label(257), "the");
});

test("many words leave the cache and mean the same", () => {
  const made = tokenizer();
  for (let k = 0; k < 20_100; k += 1) made.encode(`w${k}`);
  assert.ok(made.known.size <= 20_000);
  assert.deepEqual(made.encode("the"), [257]);
});
