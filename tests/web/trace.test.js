// What is found of a story in a filter of the training stories, as Python finds it, and how runs are shown.

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { RunFilter, runHashes } = await web("trace/run_filter");
const { level, parts, strongest } = await web("trace/traced");

const { content, hashes, traces } = json("tests/web/vectors.json").run_filters;
const file = Uint8Array.from(atob(content), (one) => one.charCodeAt(0));

test("runs have Python's hashes", () => {
  for (const [words, expected] of hashes) assert.deepEqual(runHashes(words, 8), expected);
  assert.deepEqual(runHashes(["one", "two"], 8), []);
});

test("the same runs are found as in Python", async () => {
  const filter = await RunFilter.read(file);
  for (const [text, runs, copied, words] of traces) {
    const found = filter.trace(text);
    assert.deepEqual(
      found.runs.map(({ start, end, words }) => [start, end, words]),
      runs,
      text,
    );
    assert.equal(found.copied, copied);
    assert.equal(found.words, words);
    assert.equal(found.share, words ? copied / words : 0);
    assert.equal(found.certain, 9);
    assert.equal(found.held_out, 0.25);
  }
  assert.ok(traces.some(([, runs]) => runs.length) && traces.some(([, runs]) => !runs.length));
});

test("a damaged file is refused", async () => {
  for (const bytes of [file.subarray(0, -9), new Uint8Array(0), new TextEncoder().encode("<html>")])
    await assert.rejects(RunFilter.read(bytes));
});

test("a text is divided where runs begin and end", () => {
  const text = "one two three four";
  const runs = [
    { start: 0, end: 13, rarity: 25, words: 3 },
    { start: 4, end: 18, rarity: 40, words: 3 },
  ];
  assert.deepEqual(parts({ text, runs }), [
    { text: "one ", runs: [0] },
    { text: "two three", runs: [1, 0] },
    { text: " four", runs: [1] },
  ]);
  assert.deepEqual(parts({ text, runs: [] }), [{ text, runs: [] }]);
  assert.deepEqual(parts({ text: "", runs: [] }), []);
});

test("longer and rarer runs are marked more strongly", () => {
  assert.deepEqual(
    [22, 28, 36, 90].map((rarity) => level({ rarity, words: 9 })),
    [1, 2, 3, 3],
  );
  assert.deepEqual(
    [8, 12, 16].map((words) => level({ rarity: null, words })),
    [1, 2, 3],
  );
  assert.deepEqual(
    strongest([
      { rarity: null, words: 8 },
      { rarity: null, words: 12 },
    ]),
    [1, 0],
  );
});
