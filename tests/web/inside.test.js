// What the view "Inside" makes of the server's messages.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClose, web } from "./modules.js";

const { ATTENTION, CHANGES, EVERY, level, Analysis, times } = await web("inside/analysis");

// Two layers of two heads that looked at the token before the story and at two tokens of it.
const attention = [
  [
    [0.5, 0.5, 0],
    [0.1, 0.2, 0.7],
  ],
  [
    [1, 0, 0],
    [0, 0, 1],
  ],
];

function analysis(first = -1) {
  const found = new Analysis();
  found.add({ look: { first, attention, layers: [] } });
  return found;
}

const isNear = (found, expected) =>
  found.size === expected.size && [...expected].every(([place, weight]) => isClose(found.get(place), weight, 1e-12));

test("a head's weights stand at the positions of the story", () => {
  assert.deepEqual(
    [...analysis().weights(0, 1)],
    [
      [-1, 0.1],
      [0, 0.2],
      [1, 0.7],
    ],
  );
  assert.deepEqual(
    [...analysis(7).weights(1, 0)],
    [
      [7, 1],
      [8, 0],
      [9, 0],
    ],
  );
});

test("every layer or head is their mean, and adds to one", () => {
  assert.ok(
    isNear(
      analysis().weights(0, EVERY),
      new Map([
        [-1, 0.3],
        [0, 0.35],
        [1, 0.35],
      ]),
    ),
  );
  assert.ok(
    isNear(
      analysis().weights(EVERY, 0),
      new Map([
        [-1, 0.75],
        [0, 0.25],
        [1, 0],
      ]),
    ),
  );
  const all = analysis().weights(EVERY, EVERY);
  assert.ok(
    isNear(
      all,
      new Map([
        [-1, 0.4],
        [0, 0.175],
        [1, 0.425],
      ]),
    ),
  );
  assert.ok(
    isClose(
      [...all.values()].reduce((sum, weight) => sum + weight),
      1,
      1e-12,
    ),
  );
});

test("a layer or a head that another model had is the last one", () => {
  assert.deepEqual(analysis().weights(11, 11), analysis().weights(1, 1));
  assert.deepEqual([analysis().layers, analysis().heads], [2, 2]);
});

test("levels are reached from their bounds on", () => {
  assert.deepEqual(
    [0, 0.019, 0.02, 0.1, 0.49, 0.5, 1].map((share) => level(share, ATTENTION)),
    [0, 0, 1, 3, 4, 5, 5],
  );
  assert.equal(level(0.01, CHANGES), 0);
});

test("removals come in parts, and those that mattered most are told either way", () => {
  const found = analysis();
  found.add({
    removed: [
      [9, -0.4],
      [8, 0.01],
    ],
  });
  assert.equal(found.seconds, null);
  found.add({
    removed: [
      [7, 1.5],
      [6, -3],
    ],
    ended: true,
    seconds: 1.25,
  });
  assert.equal(found.seconds, 1.25);
  assert.equal(found.changes.size, 4);
  assert.deepEqual(found.mattered(2), [
    [6, -3],
    [7, 1.5],
  ]);
  assert.deepEqual(found.mattered(8).length, 3); // 0.01 nats are nothing
});

test("a change is told as a factor", () => {
  assert.equal(times(Math.log(2), "en"), "2.0");
  assert.equal(times(-Math.log(2.3), "de"), "2,3");
  assert.equal(times(Math.log(48), "en"), "48");
  assert.equal(times(-9.457, "en"), "13,000");
  assert.equal(times(Math.log(1e12), "en"), "10¹²");
});
