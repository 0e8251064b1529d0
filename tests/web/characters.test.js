// Which tokens continue a character that is not whole (playground/engine/characters.py).

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { Characters, begun, continues } = await web("sources/local/characters");
const { characters } = json("tests/web/vectors.json");
const bytes = (hex) => Uint8Array.from(hex.match(/../g) ?? [], (two) => parseInt(two, 16));

test("a character is begun where Python finds it begun", () => {
  for (const [text, part] of characters.begun) assert.deepEqual(begun(bytes(text)), bytes(part), text);
});

test("the tokens that continue it are Python's", () => {
  for (const [part, token, expected] of characters.continues)
    assert.equal(continues(bytes(part), bytes(token)), expected);
});

test("after a part of a character only its rest may come", () => {
  const tokens = ["", "61", "e2", "80", "9c", "9c6865", "e280"].map(bytes);
  const { length } = tokens,
    known = new Characters(length, (id) => tokens[id]);
  assert.deepEqual(known.notContinuing([1, 6]), [0, 1, 2, 6]);
  assert.deepEqual(known.notContinuing([1, 2, 3]), known.notContinuing([6]));
  assert.deepEqual(known.notContinuing([2]), [0, 1, 2, 5, 6]); // no whole character and letters
  for (const whole of [[2, 0, 3], [6, 4], [1]]) {
    // in the first a silent token is between them
    assert.deepEqual(known.notContinuing(whole), [3, 4, 5]); // the rests of characters that nothing began
  }
  assert.deepEqual(new Characters(2, (id) => tokens[id + 1]).notContinuing([1]), []); // none has the rest
});
