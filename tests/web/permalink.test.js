// Links mean the same in JavaScript and in Python: both are held to permalink_vectors.json
// (tests/playground/stories/test_permalink.py).

import assert from "node:assert/strict";
import { test } from "node:test";
import { crc32 as zlibCrc32 } from "node:zlib";
import { json, web } from "./modules.js";

const { Damaged, Newer, TooLong, crc32, decode, encode } = await web("permalink");
const { linkIn } = await web("sharing");

const vectors = json("tests/playground/stories/permalink_vectors.json");
const common = json("playground/web/common_tokens.json");
const isRefused = (problem) => problem instanceof Damaged || problem instanceof Newer;

test("the vectors are read", () => {
  assert.ok(vectors.good.length >= 3);
  for (const { link, value } of vectors.good) assert.deepEqual(decode(link, common), value);
});

test("the vectors are written", () => {
  for (const { link, value } of vectors.good) assert.equal(encode(value, common), link);
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

test("a long name is cut between letters", () => {
  const [{ value }] = vectors.good;
  assert.equal(decode(encode({ ...value, name: "🦊".repeat(40) }, common), common).name, "🦊".repeat(15));
});

test("the checksum is zlib's", () => {
  const data = Uint8Array.from({ length: 1000 }, (_, k) => (k * 37) & 255);
  assert.equal(crc32(data), zlibCrc32(data));
  assert.equal(crc32(new Uint8Array()), 0);
});

test("a link's text is found in an address", () => {
  assert.equal(linkIn("https://example.org/?story=AbC-_1"), "AbC-_1");
  assert.equal(linkIn(" https://example.org/room/s/AbC "), "AbC");
  assert.equal(linkIn("https://example.org/?story="), "");
  assert.equal(linkIn("https://example.org/a-page"), null);
  assert.equal(linkIn("AbC"), null);
});
