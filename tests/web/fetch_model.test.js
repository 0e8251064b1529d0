// What comes in the storyteller's place.

import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { web } from "./modules.js";

const { checksumOf, fetchModel } = await web("sources/local/fetch_model");
const { fetch } = globalThis;
afterEach(() => Object.assign(globalThis, { fetch }));

const content = Uint8Array.from({ length: 4096 }, (_, k) => k);
const come = (body) => {
  globalThis.fetch = async () => new Response(body);
  return fetchModel("https://example.org/model.inkling", content.length, checksumOf(content), () => {});
};

test("the whole file is the model", async () => assert.deepEqual(await come(content), content));

for (const [why, body] of [
  ["pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"],
  ["network", content.subarray(0, 99)],
  ["network", new Uint8Array(5000)],
  ["damaged", new Uint8Array(4096)],
]) {
  test(`${why}: nothing else is used`, () => assert.rejects(come(body), new Error(why)));
}
