// Where a typed text ends and the model's first token begins (playground/engine/token_healing.py).

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { neitherLongerNor, notSpelling, healed } = await web("sources/local/token_healing");
const tree = await web("story/tree");

const { seams } = json("tests/web/vectors.json");
const encode = (text) => text.match(/ ?[^ ]+|\s/g) ?? [];

test("the texts are cut where Python cuts them", () => {
  for (const [text, bare, begins] of seams) {
    const found = healed(text, (part) => [...part], true); // whose tokens are letters
    assert.deepEqual([text, found.bare, found.begins], [text, bare, begins]);
  }
});

test("without the wish a word stays whole", () => {
  assert.deepEqual(healed("Once upon a ti", encode, false), { bare: "Once upon a ti", begins: "", word: [] });
  assert.deepEqual(healed("Once upon a ti", encode, true).word, [" ti"]);
});

test("only tokens that spell what was typed may come", () => {
  const tokens = ["", " ", " t", " ti", " time", " tin", " a", "time", "\t"].map((text) =>
    new TextEncoder().encode(text),
  );
  const start = new TextEncoder().encode(" ti"),
    bytesOf = (id) => tokens[id];
  assert.deepEqual(neitherLongerNor(3, start, 9, bytesOf), [0, 1, 2, 6, 7, 8]);
  assert.deepEqual(notSpelling(start, 9, bytesOf), [0, 6, 7, 8]);
});

test("a word that a person wrote last is given to the model again", () => {
  const typed = (t) => ({ t, s: 1, i: 5, r: -1 }),
    told = (t) => ({ t, s: 1, i: 5, r: 0 });
  const pending = (t) => ({ t, s: null, i: null, r: -1 });
  const seam = (...tokens) => {
    const [before, text] = tree.seam(tokens);
    return [before.length, text];
  };
  assert.deepEqual(seam(typed("Once"), typed(" upon"), typed(" a"), typed(" ti")), [3, " ti"]);
  assert.deepEqual(seam(typed("Once"), typed(" t"), typed("im")), [1, " tim"]);
  assert.deepEqual(seam(typed("On")), [0, "On"]);
  assert.deepEqual(seam(typed("Once"), typed(",")), [2, ""]);
  assert.deepEqual(seam(typed("Once"), told(" upon")), [2, ""]);
  assert.deepEqual(seam(told(" up"), typed("on")), [1, "on"]);
  assert.deepEqual(seam(typed("Once"), typed(" upon"), pending(" a ti")), [2, " a ti"]);
  assert.deepEqual(seam(), [0, ""]);
});
