// The core in WebAssembly as the page loads it. What it computes with a model is compared with Python's in
// tests/playground/browser/test_storyteller.py.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { afterEach, test } from "node:test";
import { ROOT, json, openCore, web } from "./modules.js";

const { Core, Model } = await web("sampling/core");
const { fetch, WebAssembly } = globalThis;
afterEach(() => Object.assign(globalThis, { fetch, WebAssembly }));

const vectors = json("tests/web/vectors.json");
const code = readFileSync(new URL("playground/core/built/core.wasm", ROOT));

test("the draws are Python's to the last bit", async () => {
  const core = await openCore();
  for (const [seed, position, number] of vectors.uniform) assert.equal(core.uniform(seed, position), number);
});

test("a question that is larger than the memory makes it grow", async () => {
  const core = await openCore(),
    before = core.buffer.byteLength;
  const rest = Array.from({ length: before / 8 }, (_, k) => [-3 - k / before, 1]);
  const settings = { temperature: 1, top_k: 0, top_p: 1, min_p: 0 };
  const { odds, rest: others } = core.odds(settings, [2, 1], rest);
  assert.ok(core.buffer.byteLength > before);
  assert.ok(Math.abs(odds[0] + odds[1] + others - 1) < 1e-9);
  assert.deepEqual(core.odds({ ...settings, temperature: 0 }, [2, 1], []), { odds: [1, 0], rest: 0 });
});

test("it is loaded from beside its module", async () => {
  globalThis.fetch = async (address) => {
    assert.ok(String(address).endsWith("/web/sampling/core.wasm"));
    return new Response(code);
  };
  assert.equal((await Core.load()).uniform(0, 0), vectors.uniform[0][2]);
});

test("a browser without SIMD fetches nothing", async () => {
  globalThis.WebAssembly = { validate: () => false };
  globalThis.fetch = () => assert.fail("it fetched");
  await assert.rejects(Core.load(), { message: "simd" });
});

for (const [why, answer] of [
  ["nothing", async () => Promise.reject(new TypeError("offline"))],
  ["404", async () => new Response("", { status: 404 })],
]) {
  test(`where the file does not come (${why}), it says so`, async () => {
    globalThis.fetch = answer;
    await assert.rejects(Core.load(), { message: "network" });
  });
}

for (const [what, content] of [
  ["nothing", new Uint8Array(0)],
  ["a text", new TextEncoder().encode("INKLING2".repeat(40))],
  ["zeros", new Uint8Array(4096)],
]) {
  test(`${what} is not a model`, async () => {
    const core = await openCore();
    assert.throws(() => new Model(core, content, 2), { message: "damaged" });
  });
}
