// The bars are what the core draws from: draws that Python asked it for are in vectors.json.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClose, json, openCore, web } from "./modules.js";

const { distribution, LEVELS, percent, surpriseLevel } = await web("sampling/odds");
const core = await openCore();

const { candidates, rest, log_total, cases } = json("tests/web/vectors.json").odds;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

for (const { settings, drawn } of cases) {
  const { temperature, top_k, top_p, min_p } = settings;
  test(`bars at ${JSON.stringify({ temperature, top_k, top_p, min_p })}`, () => {
    const { rows, restBefore, restAfter } = distribution(core, { candidates, rest, log_total }, settings);
    const after = rows.map((row) => row.after);
    assert.equal(rows.length, candidates.length);
    assert.ok(isClose(sum(after) + restAfter, 1, 1e-6));
    assert.ok(isClose(sum(rows.map((row) => row.before)) + restBefore, 1, 1e-6));
    assert.ok(drawn.some((one) => one !== null));
    for (const one of drawn) {
      if (one === null) continue; // Python looks at all tokens then
      const [index, probability] = one;
      assert.ok(after[index] > 0);
      assert.ok(isClose(probability, after[index], 1e-9), `${index}: ${probability}, ${after[index]}`);
    }
  });
}

test("a word to use has the probability that it is raised to", () => {
  const raised = [[7, " dragon", 1, 4], ...[3, 2].map((logit) => [logit, "", logit, logit])];
  const { rows } = distribution(core, { candidates: raised, rest: [], log_total: 5 }, { temperature: 1 });
  assert.ok(isClose(rows[0].before, Math.exp(1 - 5), 1e-12));
  assert.ok(isClose(rows[0].after, 1 / (1 + Math.exp(-1) + Math.exp(-2)), 1e-12));
});

test("at temperature 0 the likeliest has all", () => {
  const { rows, restAfter } = distribution(
    core,
    { candidates, rest, log_total },
    { temperature: 0, top_k: 0, top_p: 1, min_p: 0 },
  );
  assert.deepEqual([rows[0].after, rows[1].after, restAfter], [1, 0, 0]);
});

test("without candidates there is nothing", () => {
  assert.deepEqual(distribution(core, { candidates: [], rest: [], log_total: 0 }, cases[0].settings).rows, []);
});

test("without the core the model's own odds are there", () => {
  const { rows, restBefore, restAfter } = distribution(null, { candidates, rest, log_total }, cases[0].settings);
  assert.ok(isClose(sum(rows.map((row) => row.before)) + restBefore, 1, 1e-6));
  assert.ok(rows.every((row) => row.after === null));
  assert.equal(restAfter, null);
});

test("a word's surprise has six levels", () => {
  assert.deepEqual(
    [1, 0.5, 0.49, 0.2, 0.1, 0.03, 0.005, 0.0001].map((p) => surpriseLevel(-Math.log(p))),
    [0, 0, 1, 1, 2, 3, 4, 5],
  );
  assert.equal(LEVELS.length, 5);
});

test("a probability is written for people", () => {
  const written = [1, 0.9996, 0.871, 0.125, 0.0324, 0.00042, 0.0000111].map((p) => percent(p, "en"));
  assert.deepEqual(written, ["100 %", "100 %", "87 %", "13 %", "3.2 %", "0.04 %", "1 : 90,090"]);
  assert.equal(percent(0.0324, "de"), "3,2 %");
  assert.equal(percent(0, "en"), "1 : 1,000,000,000,000");
});
