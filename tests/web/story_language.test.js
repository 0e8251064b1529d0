// The language of a story, by its letters and its small words.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { ROOT, web } from "./modules.js";

const { languageOf } = await web("story/story_language");
const read = (path) => JSON.parse(readFileSync(new URL(path, ROOT), "utf8"));

for (const [text, code, direction] of read("tests/web/story_languages.json")) {
  test(`${code}: ${text}`, () => {
    assert.deepEqual(languageOf(text, read("playground/web/share/languages.json")), [code, direction]);
  });
}
