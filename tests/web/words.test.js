// Words to use stand where they stand in Python (vectors.json).

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { WordsToUse } = await web("sources/local/words");
const { beginsWord, hasWord } = await web("story/whole_words");
const { words, texts } = json("tests/web/vectors.json").words;

const idsOf = (text) => Array.from(text, (letter) => letter.codePointAt(0));

test("what is missing, and what begins or continues a word, is Python's after every letter", () => {
  const spellings = (word) => ({ spaced: [[32, ...idsOf(word)]], bare: [idsOf(word)] });
  assert.ok(texts.length > 5);
  for (const [text, steps] of texts) {
    const waiting = new WordsToUse(words, spellings, (id) => String.fromCodePoint(id));
    const ids = idsOf(text);
    const found = steps.map((_, end) => {
      waiting.follow(ids.slice(0, end));
      return [waiting.missing, waiting.begins(), waiting.continues()];
    });
    assert.deepEqual(found, steps, text);
  }
});

test("a word stands in a text as a whole, in any case", () => {
  for (const text of ["The fox", "FOX!", "foxes and a fox"]) assert.ok(hasWord(text, " Fox "), text);
  for (const text of ["", "foxes", "firefox", "fox1"]) assert.ok(!hasWord(text, "fox"), text);
});

test("a word begins without a space behind a space, a line's end or a quote that opens", () => {
  for (const text of ["", "a ", "a\n", "a “", "("]) assert.ok(beginsWord(text), text);
  for (const text of ["a", "a.”", "a,"]) assert.ok(!beginsWord(text), text);
});
