// How the vendored library is asked; a browser test reads the codes as a camera does (test_files.py).

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { fits, svg } = await web("share/qr");

test("what is too long has no code", () => {
  assert.ok(fits("x".repeat(2953)) && !fits("x".repeat(2954)) && !fits(""));
  assert.ok(!fits("é".repeat(1500))); // bytes count
  assert.ok(svg("x".repeat(2953)).includes('viewBox="0 0 185 185"'));
  assert.throws(() => svg("x".repeat(2954)), RangeError);
});

test("the drawing has no size of its own and a white margin", () => {
  const drawing = svg("https://example.org/?story=x"); // version 2: 25 modules
  assert.match(drawing, /^<svg shape-rendering="crispEdges" xmlns="[^"]*" viewBox="0 0 33 33">/);
  const corners = [...drawing.matchAll(/M(\d+),(\d+)/g)].flatMap(([, x, y]) => [Number(x), Number(y)]);
  assert.deepEqual([Math.min(...corners), Math.max(...corners)], [4, 28]);
});
