// The code is the one that segno draws (vectors.json), for links of all lengths.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { json, openCore, web } from "./modules.js";

const { fits, modules, svg } = await web("share/qr");
const core = await openCore();

const SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
const BEFORE = "https://example.org/?story=";
const linkOf = (length) =>
  BEFORE + Array.from({ length }, (_, k) => SIGNS[Math.floor(64 * core.uniform(length, k))]).join("");

test("the modules are segno's", () => {
  const codes = json("tests/web/vectors.json").qr;
  assert.ok(codes.length > 40);
  for (const [length, digest] of codes) {
    const rows = modules(linkOf(length))
      .map((row) => row.join(""))
      .join("\n");
    assert.equal(createHash("sha256").update(rows).digest("hex"), digest, `${length} characters`);
  }
});

test("what is too long has no code", () => {
  assert.ok(fits("x".repeat(2953)) && !fits("x".repeat(2954)) && !fits(""));
  assert.ok(!fits("é".repeat(1500))); // bytes count
  assert.throws(() => modules("x".repeat(2954)), RangeError);
});

test("the drawing has no size of its own and a white margin", () => {
  const drawing = svg(linkOf(40));
  const size = modules(linkOf(40)).length + 8;
  assert.ok(drawing.startsWith("<svg"));
  assert.ok(drawing.includes(`viewBox="0 0 ${size} ${size}"`), drawing.slice(0, 200));
  assert.ok(!/ width=/.test(drawing.slice(0, drawing.indexOf(">"))));
});
