// Links mean the same in JavaScript and in Python: both are held to permalink_vectors.json
// (tests/playground/stories/test_permalink.py).

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { json, web } from "./modules.js";

const { Damaged, Newer, TooLong, crc32, decode, encode, hasTokenizer, textIn } = await web("story/permalink");
const { linkIn } = await web("share/sharing");

const vectors = json("tests/playground/stories/permalink_vectors.json");
const common = json("playground/web/story/common_tokens.json");
const isRefused = (problem) => problem instanceof Damaged || problem instanceof Newer;

// The vectors of versions 1 and 2 say whether a person typed one space before a run's first word. Those before
// version 5 know no later settings, and only words to use in their second form name it.
const now = ({ runs, ...value }) => ({
  tokenizer: "",
  ...value,
  runs: runs.map(({ space, settings, ...run }) => ({
    begins: space ? " " : "",
    settings: { words_to_use: [], words_form: 1, ...settings },
    ...run,
  })),
});

test("the vectors are read", () => {
  assert.ok(vectors.good.length >= 3);
  for (const { link, value } of vectors.good) assert.deepEqual(decode(link, common), now(value));
});

test("the vectors are written", () => {
  for (const { link, value } of vectors.good) assert.equal(encode(now(value), common), link);
});

test("300 tokens take 800 letters at most", () => {
  const [, { value }] = vectors.good; // the page's first story
  const tokens = [...value.tokens, ...value.tokens].slice(0, 300);
  assert.ok(encode(now({ ...value, tokens }), common).length <= 800);
});

test("a link says which tokenizer it needs", () => {
  const [{ value }] = vectors.good;
  const link = decode(encode({ ...value, tokenizer: "0a1bffffffffffff" }, common), common);
  assert.equal(link.tokenizer, "0a1b");
  assert.ok(hasTokenizer(link, "0a1b7") && !hasTokenizer(link, "0a1c7") && !hasTokenizer(link, undefined));
  assert.ok(hasTokenizer({ tokenizer: "" }, "0a1b7")); // of an older link nothing is known
  const runs = [{ ...vectors.good[1].value.runs[0], begins: "fo" }];
  const unnamed = decode(encode({ ...value, runs }, common), common);
  assert.equal(unnamed.runs[0].begins, "fo");
  assert.ok(hasTokenizer(unnamed, "0a1b7"));
});

test("what the vectors call bad is refused", () => {
  assert.ok(vectors.bad.length);
  for (const link of vectors.bad) assert.throws(() => decode(link, common), isRefused);
});

test("every cut and every altered letter is refused", () => {
  const [{ link }] = vectors.good;
  for (let cut = 0; cut < link.length; cut += 7) assert.throws(() => decode(link.slice(0, cut), common), isRefused);
  for (let place = 0; place < link.length - 1; place += 5) {
    const other = link[place] === "A" ? "B" : "A";
    assert.throws(() => decode(link.slice(0, place) + other + link.slice(place + 1), common), isRefused);
  }
  for (const wrong of ["", "x", "!!", "A".repeat(5000), "A".repeat(2_000_000), "é".repeat(40)]) {
    assert.throws(() => decode(wrong, common), isRefused);
  }
});

test("what no link can hold is refused", () => {
  const [{ value }] = vectors.good;
  const tokens = Array.from({ length: 10_001 }, () => [1, -1]);
  assert.throws(() => encode({ ...value, tokens }, common), TooLong);
  assert.throws(() => encode({ ...value, runs: Array.from({ length: 501 }, () => value.runs[0]) }, common), TooLong);
  const branch = { leaves: 0, shared: 0, name: "", tokens: [] };
  assert.throws(() => encode({ ...value, branches: Array.from({ length: 201 }, () => branch) }, common), TooLong);
});

test("what is too much for a link has its own reason", () => {
  const [{ value }] = vectors.good,
    tokens = (count, id) => Array.from({ length: count }, () => [id, -1]);
  const reason = (change) => {
    try {
      return encode({ ...value, ...change }, common);
    } catch ({ what, count, most }) {
      return [what, count, most];
    }
  };
  const branch = { leaves: 0, shared: 0, name: "", tokens: tokens(9_000, 1) };
  assert.deepEqual(reason({ tokens: tokens(15_000, 1) }), ["tokens", 15_000, 10_000]);
  assert.deepEqual(reason({ runs: Array.from({ length: 510 }, () => vectors.good[1].value.runs[0]) }), [
    "runs",
    510,
    500,
  ]);
  assert.deepEqual(reason({ branches: Array.from({ length: 206 }, () => ({ ...branch, tokens: [] })) }), [
    "branches",
    206,
    200,
  ]);
  assert.deepEqual(reason({ branches: Array.from({ length: 6 }, () => branch) }), ["spread", 54_000, 50_000]);
  assert.deepEqual(reason({ tokens: tokens(1, 2 ** 20) }), ["id", 2 ** 20, 2 ** 20 - 1]);
  const rare = Array.from({ length: 4 }, () => ({ ...branch, tokens: tokens(9_000, 600_000) }));
  assert.equal(reason({ branches: rare })[0], "letters"); // which no reader would take
});

test("a long name is cut between letters", () => {
  const [{ value }] = vectors.good;
  assert.equal(decode(encode({ ...value, name: "🦊".repeat(40) }, common), common).name, "🦊".repeat(15));
});

test("the checksum is zlib's", () => {
  const data = Uint8Array.from({ length: 1000 }, (_, k) => (k * 37) & 255);
  assert.equal(crc32(data), zlibCrc32(data));
  assert.equal(crc32(new Uint8Array()), 0);
});

for (const [what, written, link] of vectors.passed_on) {
  test(`a link is found as it is passed on: ${what}`, () => assert.equal(textIn(written), link));
}

test("a link's text is found in an address", () => {
  assert.equal(linkIn("https://example.org/?story=AbC-_1"), "AbC-_1");
  assert.equal(linkIn(" https://example.org/room/s/AbC "), "AbC");
  assert.equal(linkIn("https://example.org/?story="), "");
  assert.equal(linkIn("https://example.org/a-page"), null);
  assert.equal(linkIn("AbC"), null);
});
