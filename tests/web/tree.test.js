// A story with its branches: edits, branches, and the value that is kept.

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const tree = await web("story/tree");

const token = (t, r = -1, i = t.length) => ({ t, s: 1, i, r });
const story = (...texts) =>
  tree.withTokens(
    tree.emptyDocument(),
    texts.map((text) => token(text)),
  );
const textOf = (doc) => tree.textOf(tree.current(doc).tokens);
const branch = (doc, tokens) => tree.branched(doc, tokens);

// Two branches leave the first, one of them leaves the second: 1 <- 2 <- 3, 1 <- 4.
function family() {
  const first = story("Once", " upon", " a", " time");
  const { tokens } = tree.current(first);
  const second = branch(first, [...tokens.slice(0, 2), token(" the", 0)]);
  const third = branch(second, [...tree.current(second).tokens, token(" fox", 0)]);
  return branch(tree.selected(third, 1), [...tokens.slice(0, 1), token(" more", 1)]);
}

test("an edit keeps the tokens before its word", () => {
  const doc = story("Once", " upon", " a", " time");
  const { tokens } = tree.current(doc);
  const edited = tree.edited(doc, "Once upons a time");
  assert.equal(textOf(edited), "Once upons a time");
  assert.deepEqual(tree.current(edited).tokens.slice(0, 1), tokens.slice(0, 1));
  assert.equal(tree.current(edited).tokens[0], tokens[0]);
  assert.equal(tree.pendingText(tree.current(edited).tokens), " upons a time");
  assert.equal(textOf(doc), "Once upon a time"); // the document before is as it was
});

test("a new word at the end touches no word before it", () => {
  const doc = tree.edited(story("Once", " upon"), "Once upon it");
  assert.equal(tree.knownTokens(tree.current(doc).tokens).length, 2);
  assert.equal(tree.pendingText(tree.current(doc).tokens), " it");
});

test("letters at the end join the last word", () => {
  const doc = tree.edited(story("Once", " runn"), "Once runner");
  assert.equal(tree.pendingText(tree.current(doc).tokens), " runner");
});

test("a text that is the same is the same document", () => {
  const doc = story("Once");
  assert.equal(tree.edited(doc, "Once"), doc);
});

test("a deleted end leaves tokens and nothing pending", () => {
  const doc = tree.edited(story("Once", " upon", " a"), "Once upon");
  assert.equal(tree.pendingText(tree.current(doc).tokens), "");
  assert.equal(tree.current(doc).tokens.length, 2);
});

test("pending text is replaced by its tokens", () => {
  const doc = tree.scored(tree.edited(story("Once"), "Once upon a"), [token(" upon"), token(" a")]);
  assert.deepEqual(
    tree.current(doc).tokens.map(({ t }) => t),
    ["Once", " upon", " a"],
  );
  assert.equal(tree.pendingText(tree.current(doc).tokens), "");
});

test("an edit at the beginning keeps the pieces of what follows", () => {
  const doc = tree.edited(story("Once", " upon", " a", " time"), "Onces upon a time");
  const { tokens } = tree.current(doc);
  assert.deepEqual(
    tokens.map(({ t, i, r }) => [t, i, r]),
    [
      ["Once", null, -1],
      ["s", null, -1],
      [" upon", null, -1],
      [" a", null, -1],
      [" time", null, -1],
    ],
  );
  const again = tree.current(tree.edited(doc, "Onces! upon a time")).tokens;
  assert.deepEqual(
    again.map(({ t }) => t),
    ["Once", "s!", " upon", " a", " time"],
  );
  assert.ok([0, 2, 3, 4].every((k) => again[k] === tokens[k]));
});

test("what was changed is scored first, and the rest stays pending", () => {
  const doc = tree.edited(story("Once", " upon", " a", " time"), "Onces upon a time");
  const part = tree.scored(doc, [token("On"), token("ces"), token(" upo")], "Onces upo".length);
  assert.deepEqual(
    tree.current(part).tokens.map(({ t, i }) => [t, i === null]),
    [
      ["On", false],
      ["ces", false],
      [" upo", false],
      ["n", true],
      [" a", true],
      [" time", true],
    ],
  );
  assert.equal(textOf(part), "Onces upon a time");
  assert.equal(tree.pendingText(tree.current(part).tokens), "n a time");
  assert.equal(tree.firstWords("One two  three\n", 5), "One two");
  assert.equal(tree.firstWords("One two  three\n", 8), "One two");
  assert.equal(tree.firstWords("One two  three\n", 9), "One two  three\n"); // no rest of spaces alone
  assert.equal(tree.firstWords("  \n three", 2), "  \n three");
  assert.equal(tree.firstWords("Onetwo", 2), "Onetwo");
});

test("a model's word that comes back as it was is the model's still", () => {
  const told = [token("Once"), token(" ran", 0, 4)];
  const doc = tree.edited(tree.withTokens(tree.emptyDocument(), told), "Once ran.");
  assert.equal(tree.pendingText(tree.current(doc).tokens), " ran.");
  const same = tree.current(tree.scored(doc, [token(" ran", -1, 4), token(".")])).tokens;
  assert.equal(same[1], told[1]);
  assert.equal(same[2].r, -1);
  const other = tree.current(tree.scored(doc, [token(" ran.", -1, 9)])).tokens;
  assert.equal(other[1].r, -1);
});

test("no edit leaves half a character", () => {
  const halves = story(".", "", "“"); // two tokens of one quotation mark
  assert.deepEqual(
    tree.current(tree.edited(halves, ".")).tokens.map(({ t }) => t),
    ["."],
  );
  const joined = story("Said", " ", "“"); // the first half with the space before it
  const { tokens } = tree.current(tree.edited(joined, "Said "));
  assert.deepEqual(
    tokens.map(({ t, i }) => [t, i === null]),
    [
      ["Said", false],
      [" ", true],
    ],
  );
  const cut = tree.edited(story("Once", ""), "Once more"); // a story stopped within a character
  assert.deepEqual(
    tree.current(cut).tokens.map(({ t }) => t),
    ["Once", " more"],
  );
});

test("a branch shares the tokens that it begins with", () => {
  const doc = family();
  const { branches } = doc;
  assert.equal(doc.current, 4);
  assert.equal(tree.shared(branches[1].tokens, branches[2].tokens), 2);
  assert.equal(tree.shared(branches[2].tokens, branches[3].tokens), 3);
  assert.equal(tree.shared(branches[1].tokens, branches[4].tokens), 1);
  assert.deepEqual(
    tree.childrenOf(doc, 1).map(({ id }) => id),
    [2, 4],
  );
  assert.deepEqual(
    tree.siblingsOf(doc, 4).map(({ id }) => id),
    [1, 2, 4],
  );
  assert.deepEqual(
    tree.siblingsOf(doc, 1).map(({ id }) => id),
    [1],
  );
});

test("a removed branch gives its children to its parent", () => {
  const doc = tree.pruned(family(), 2);
  assert.deepEqual(Object.keys(doc.branches), ["1", "3", "4"]);
  assert.equal(doc.branches[3].parent, 1);
  assert.equal(doc.current, 4);
  assert.equal(tree.pruned(family(), 4).current, 1);
  const root = tree.pruned(tree.selected(family(), 1), 1);
  assert.equal(root.branches[2].parent, null);
  assert.ok(root.branches[root.current]);
  const none = tree.pruned(story("Once"), 1);
  assert.equal(textOf(none), "");
  assert.equal(none.next, 2);
});

test("a name is the branch's own", () => {
  const doc = tree.renamed(family(), 2, "The way home");
  assert.equal(doc.branches[2].name, "The way home");
  assert.equal(family().branches[2].name, "");
});

test("a run is kept once and numbered", () => {
  const [doc, number] = tree.withRun(story("Once"), { settings: {}, seed: 1 });
  assert.equal(number, 0);
  assert.deepEqual(tree.withRun(doc, { settings: {}, seed: 2 })[1], 1);
});

test("the opening is what stands before the first word of a model", () => {
  const opening = (...tokens) => tree.requestOf(tokens, {}).opening;
  assert.equal(opening(token("Once"), token(" upon"), token(" a", 0), token(" b")), 2);
  assert.equal(opening(token("Once")), -1);
  assert.equal(opening(token("Once", 0)), 0);
});

test("whole quarters of the context slide out of sight", () => {
  assert.equal(tree.outsideContext(63, 64), 0);
  assert.equal(tree.outsideContext(64, 64), 15); // the start is in the context too
  assert.equal(tree.outsideContext(84, 64), 31);
  assert.equal(tree.outsideContext(10, 2), 8);
});

test("what is kept is what was there", () => {
  const [withRun] = tree.withRun(tree.renamed(family(), 3, "Home"), {
    settings: { temperature: 1 },
    seed: 5,
    begins: " f",
  });
  const doc = tree.withTokens(withRun, tree.current(withRun).tokens, true);
  const value = structuredClone(tree.packed(doc)); // as the browser's database keeps it
  const back = tree.unpacked(value);
  assert.deepEqual(back, doc);
  assert.equal(tree.shared(back.branches[2].tokens, back.branches[3].tokens), 3);
  assert.equal(value.branches.find(({ id }) => id === 3).t.length, 1); // its own word alone
});

test("a parent that was made after its child is found", () => {
  const value = tree.packed(family());
  const back = tree.unpacked({ ...value, branches: value.branches.toReversed() });
  assert.deepEqual(Object.keys(back.branches).sort(), ["1", "2", "3", "4"]);
  assert.equal(tree.textOf(back.branches[3].tokens), "Once upon the fox");
});

test("what is not a story is null", () => {
  for (const wrong of [
    undefined,
    null,
    {},
    { format: 0, branches: [] },
    { format: 1 },
    { format: 1, branches: [], current: 1 },
  ]) {
    assert.equal(tree.unpacked(wrong), null);
  }
});

test("a record becomes a document", () => {
  const record = json("playground/web/first_story.json");
  const doc = tree.fromRecord(record);
  const { tokens } = tree.current(doc);
  assert.equal(tree.textOf(tokens), record.tokens.map(({ text }) => text).join(""));
  assert.deepEqual(
    tokens.map(({ r }) => r),
    record.tokens.map(({ draw }) => (draw === null ? -1 : 0)),
  );
  assert.equal(doc.runs[0].seed, record.settings.seed);
  assert.equal("seed" in doc.runs[0].settings, false);
  assert.equal(Math.exp(-tokens[3].s).toFixed(9), record.tokens[3].probability.toFixed(9));
});
