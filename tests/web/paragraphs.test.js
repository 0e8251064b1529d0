// A story in paragraphs, and characters that no edit halves.

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { paragraphsOf, textOfBlocks } = await web("editor/paragraphs");
const { characterAfter, characterBefore, wholeCharacters } = await web("editor/graphemes");

const pieces = (...texts) =>
  paragraphsOf(texts.map((t) => ({ t }))).map((paragraph) => [
    paragraph.start,
    ...paragraph.pieces.map(({ k, text }) => `${k}${text}`),
  ]);

test("a line break ends a paragraph and belongs to it", () => {
  assert.deepEqual(pieces(), [[0]]);
  assert.deepEqual(pieces("Once", " upon"), [[0, "0Once", "1 upon"]]);
  assert.deepEqual(pieces("Once", "\n", "Two"), [
    [0, "0Once", "1\n"],
    [5, "2Two"],
  ]);
  assert.deepEqual(pieces("Once", "\n"), [[0, "0Once", "1\n"], [5]]); // to be written into
  assert.deepEqual(pieces(".\n\nTwo", " x"), [
    [0, "0.\n"],
    [2, "0\n"],
    [3, "0Two", "1 x"],
  ]);
  assert.deepEqual(pieces("a\n", "", "“"), [
    [0, "0a\n"],
    [2, "1", "2“"],
  ]); // the first half of a mark
});

test("what the browser made of a paragraph is read in lines", () => {
  const text = (data) => ({ nodeType: 3, data });
  const node = (tagName, ...childNodes) => ({ nodeType: 1, tagName, childNodes });
  const br = node("BR");
  const read = (...nodes) => textOfBlocks(nodes);
  assert.equal(read(node("DIV", node("SPAN", text("One")), text("\n")), node("DIV", text("Two"))), "One\nTwo");
  assert.equal(read(node("DIV", text("One")), node("DIV", br), node("DIV", text("Two\n"))), "One\n\nTwo");
  assert.equal(read(node("DIV", text("One\n\n")), node("DIV", text("Two"))), "One\n\nTwo");
  assert.equal(read(text("One"), br, node("SPAN", text("Two")), node("DIV", text("Three"))), "One\nTwo\nThree");
  assert.equal(read(), "");
});

test("a character of several parts is deleted whole", () => {
  for (const character of ["🦊", "👨‍👩‍👧‍👦", "🇩🇪", "👍🏽", "❤️", "1️⃣", "e\u0301"]) {
    const text = `a${character}b`,
      end = 1 + character.length;
    assert.deepEqual(characterAfter(text, 1), [1, end], character);
    if (character !== "e\u0301") assert.deepEqual(characterBefore(text, end), [1, end], character);
    for (let at = 2; at < end; at += 1) {
      assert.deepEqual(wholeCharacters(text, at, at), [end, end], character); // inserted behind it
      assert.deepEqual(wholeCharacters(text, 0, at), [0, end], character);
      assert.deepEqual(wholeCharacters(text, at, end + 1), [1, end + 1], character);
      assert.deepEqual(characterBefore(text, at), [1, end], character);
      assert.deepEqual(characterAfter(text, at), [1, end], character);
    }
  }
  assert.deepEqual(characterBefore("🇩🇪🇫🇷", 8), [4, 8]);
  assert.deepEqual(characterBefore("", 0), [0, 0]);
  assert.deepEqual(characterAfter("ab", 2), [2, 2]);
});

test("Backspace takes the last mark of a letter, as it was typed", () => {
  assert.deepEqual(characterBefore("e\u0301", 2), [1, 2]);
  assert.deepEqual(characterBefore("नि", 2), [1, 2]);
});
