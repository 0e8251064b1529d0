// The state of the page, and what changes its story: edits, Undo and Redo, the scoring of typed text.

import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import { Origin } from "./fake_browser.js";
import { FakeWriter, model } from "./fake_writer.js";
import { web } from "./modules.js";

const { partWith } = await web("part");
const { State } = await web("story/state");
const tree = await web("story/tree");

let tab;
beforeEach(async () => {
  mock.timers.reset();
  tab = await new FakeWriter(new Origin().page(), [model("A")]).start();
});

const texts = (docs) => docs.map((doc) => tree.textOf(tree.current(doc).tokens));

test("those who wait for a value hear of its change, once, and of no other", () => {
  const state = new State({ odds: false, settings: { top_k: 1 } }),
    heard = [];
  state.on(["odds", "settings"], () => heard.push(state.now.odds));
  state.on(["writing"], () => heard.push("writing"));
  state.set({ odds: true, settings: { top_k: 2 } });
  state.set({ odds: true });
  assert.deepEqual(heard, [true]);
  for (const change of [() => (state.now = { odds: false }), () => (state.now.odds = false)]) {
    assert.throws(change, TypeError); // `set` alone changes the state
  }
});

test("a part gets what its class line names, and nothing else", () => {
  class Lamp extends partWith("state", "note") {}
  assert.deepEqual({ ...new Lamp({ state: 1, note: null, source: 3 }) }, { state: 1, note: null });
});

test("undo goes back and redo forward, and a new step forgets what was undone", () => {
  for (const text of ["one", "two", "three"]) tab.write(text);
  for (const expected of ["two", "one", "", ""]) {
    tab.edits.undo();
    assert.equal(tab.text, expected);
  }
  for (const expected of ["one", "two"]) {
    tab.edits.redo();
    assert.equal(tab.text, expected);
  }
  tab.write("four");
  tab.edits.redo();
  assert.equal(tab.text, "four");
  assert.deepEqual(texts(tab.state.now.past), ["", "one", "two"]);
  for (let k = 0; k < 300; k += 1) tab.write(`${k}`);
  assert.equal(tab.state.now.past.length, 200);
});

test("keys in quick succession are undone together", () => {
  mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
  for (const text of ["O", "On", "Onc"]) {
    tab.edits.type(text);
    mock.timers.tick(200);
  }
  mock.timers.tick(601);
  tab.edits.type("Once");
  tab.edits.undo();
  assert.equal(tab.text, "Onc");
  tab.edits.undo();
  assert.equal(tab.text, "");
});

test("a text that is too long is not taken, unless it gets shorter", () => {
  assert.equal(tab.edits.type("x".repeat(20_001)), false);
  assert.deepEqual([tab.text, tab.said], ["", ["too_long"]]);
  tab.write("x".repeat(21_000));
  assert.equal(tab.edits.type("x".repeat(20_500)), true);
  assert.equal(tab.text.length, 20_500);
});

test("while a story grows nothing else changes it", () => {
  tab.write("one");
  tab.state.set({ writing: new AbortController() });
  tab.edits.type("two");
  tab.write("three");
  tab.edits.undo();
  assert.equal(tab.text, "one");
});

test("typed text is scored in parts, and what is typed meanwhile is kept", async () => {
  const { state, edits } = tab;
  const long = "word ".repeat(300).trim();
  edits.type(long);
  await edits.score();
  assert.equal(tree.pendingText(state.tokens), "");
  assert.equal(state.tokens.length, 300);
  edits.type(`${long} and`);
  const scoring = edits.score();
  edits.type(`${long} and more`);
  await scoring;
  assert.equal(tab.text, `${long} and more`);
  assert.equal(tree.pendingText(state.tokens), " and more");
});
