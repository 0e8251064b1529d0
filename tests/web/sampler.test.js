// The sampler of a page without a server chooses what playground/sampling.py chooses (vectors.json).

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClose, json, own } from "./modules.js";

const { Ids, candidates, choose, largest, nextId, uniform } = await own("sampler");

const vectors = json("tests/web/vectors.json");

test("the draws are Python's to the last bit", () => {
  for (const [seed, position, number] of vectors.uniform) assert.equal(uniform(seed, position), number);
});

for (const [k, { settings, log_rest: logRest, drawn }] of vectors.odds.cases.entries()) {
  test(`the likeliest tokens are chosen as in Python, case ${k}`, () => {
    const logits = vectors.odds.candidates.map(([, , logit]) => logit);
    drawn.forEach((expected, position) => {
      const chosen = choose(logits, logRest, settings, uniform(1, position));
      if (expected === null) assert.equal(chosen, null);
      else {
        assert.equal(chosen.index, expected[0]);
        assert.ok(isClose(chosen.probability, expected[1], 1e-9));
      }
    });
  });
}

for (const [k, { settings, seen, banned, drawn }] of vectors.choices.cases.entries()) {
  test(`ids that share rows are chosen as in Python, case ${k}`, () => {
    const { rows, unique_of: uniqueOf } = vectors.choices;
    const ids = new Ids(Uint16Array.from(uniqueOf), rows.length);
    drawn.forEach(([id, probability], position) => {
      const chosen = nextId(ids, Float32Array.from(rows), settings, uniform(2, position), seen, banned);
      assert.equal(chosen.id, id);
      assert.ok(isClose(chosen.probability, probability, 1e-9));
    });
  });
}

test("the largest are found, equal ones by their place", () => {
  const values = Float32Array.from({ length: 1000 }, (_, k) => Math.round(40 * uniform(3, k)));
  const expected = Array.from(values, (_, k) => k).sort((one, other) => values[other] - values[one] || one - other);
  for (const count of [1, 2, 10, 64, 999, 1000]) assert.deepEqual(largest(values, count), expected.slice(0, count));
});

// Rows of equal logits, and ids that share one.
const UNIQUE_OF = [2, 0, 1, 1, 2, 3, 1];
const LOGITS = Float32Array.from([5, 3, 5, -1]);

test("ids of equal logits come in their order", () => {
  const near = new Ids(UNIQUE_OF, 4).likeliest(LOGITS, 5);
  assert.deepEqual(near, { ids: [0, 1, 4, 2, 3], logits: [5, 5, 5, 3, 3] });
});

test("a rank counts the ids before", () => {
  const ids = new Ids(UNIQUE_OF, 4);
  assert.deepEqual(UNIQUE_OF.map((_, id) => ids.rank(LOGITS, id)), [0, 1, 3, 4, 2, 6, 5]);
  assert.deepEqual([...ids.all(LOGITS)], [5, 5, 3, 3, 5, -1, 3]);
});

test("the rest is the sum over all other ids", () => {
  const expected = Math.log(2 * Math.exp(3 / 0.7) + Math.exp(-1 / 0.7));
  assert.ok(isClose(new Ids(UNIQUE_OF, 4).logRest(LOGITS, [0, 1, 4, 2], 0.7), expected, 1e-12));
  assert.equal(new Ids([0], 1).logRest(Float32Array.of(1), [0], 1), -Infinity);
});

test("what could come next adds up to all", () => {
  const { rows, unique_of: uniqueOf } = vectors.choices;
  const logits = Float32Array.from(rows), ids = new Ids(uniqueOf, rows.length);
  const logTotal = ids.logRest(logits, [], 1);
  const found = candidates(ids, logits, { logTotal, entropy: 1 }, (id) => `<${id}>`, 42);
  assert.equal(found.candidates.length, 200);
  assert.equal(found.candidates[0][1], `<${found.candidates[0][0]}>`);
  assert.equal(found.rest.reduce((sum, [, count]) => sum + count, 0), 400);
  const likely = found.candidates.reduce((sum, [, , logit]) => sum + Math.exp(logit - logTotal), 0);
  const rest = found.rest.reduce((sum, [logit, count]) => sum + count * Math.exp(logit - logTotal), 0);
  assert.ok(Math.abs(likely + rest - 1) < 0.02); // the rest is in bins
  assert.equal(found.token.token_id, 42);
  assert.equal(found.token.rank, ids.rank(logits, 42));
  assert.ok(isClose(found.token.probability, Math.exp(rows[42] - logTotal), 1e-12));
  assert.equal(candidates(ids, logits, { logTotal, entropy: 1 }, String, null).token, null);
});
