// What is kept of stories, in a browser whose storage is missing, full, silent or of an older version.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { Origin, Time, settled } from "./fake_browser.js";
import { FakeWriter, idOf, model } from "./fake_writer.js";
import { web } from "./modules.js";

const tree = await web("story/tree");
const { packedWithSteps, unpackedWithSteps } = await web("story/history");
const { Storage, scoped } = await web("story/storage");

const A = model("A"),
  B = model("B");
let time;
beforeEach(() => (time = new Time()));

async function opened(page, models = [A], scope = "/") {
  const tab = new FakeWriter(page, models, scope);
  await tab.start();
  return tab;
}

// What is on the page is kept, with another `text` if there is one.
async function written(tab, text = tab.text) {
  if (text !== tab.text) tab.write(text);
  const flushing = tab.stories.store.flush();
  await settled();
  await flushing;
}

// The database has not answered.
async function startedLate(tab) {
  const starting = tab.start();
  await settled();
  time.pass(3000);
  await starting;
}

function left(tab) {
  tab.stories.leave();
  tab.page.isGone = true;
}

// The page is left, and the same tab opens it again.
async function reloaded(tab, models = tab.models) {
  left(tab);
  return opened(tab.page.origin.page(tab.page.session), models, tab.stories.store.storage.scope);
}

const texts = async (tab) => (await tab.stories.store.list()).map(({ text }) => text);
const words = (tab) => tree.current(tab.doc).tokens.map(({ t, i, r }) => [t, i, r]);

test("New story, one letter and a reload leave the old story in the list", async () => {
  let tab = await opened(new Origin().page());
  tab.write("Once upon a time");
  tab.begin("");
  tab.write("x");
  tab = await reloaded(tab);
  assert.equal(tab.text, "x");
  assert.deepEqual(await texts(tab), ["x", "Once upon a time"]);
  await tab.stories.open((await tab.stories.store.list())[1].id);
  assert.equal(tab.text, "Once upon a time");
  assert.deepEqual(await texts(tab), ["Once upon a time", "x"]); // newest by use
});

test("a link opened in the same tab, and two closed tabs, leave all stories", async () => {
  const origin = new Origin();
  const first = await opened(origin.page()),
    second = await opened(origin.page());
  first.write("one");
  second.write("two");
  second.open("A", " three");
  for (const tab of [first, second]) left(tab);
  const third = await opened(origin.page());
  assert.deepEqual((await texts(third)).sort(), ["one", "three", "two"]);
  assert.equal(third.text, " three");
});

test("more than thirty stories are all kept, in the order of their use, whatever the clock says", async () => {
  const clock = Date.now;
  const tab = await opened(new Origin().page());
  try {
    for (let k = 0; k < 40; k += 1) {
      Date.now = () => (k < 5 ? 2e12 : 1e12);
      tab.begin(`story ${k}`);
      await written(tab);
    }
  } finally {
    Date.now = clock;
  }
  assert.deepEqual(
    await texts(await opened(tab.page.origin.page())),
    Array.from({ length: 40 }, (_, k) => `story ${39 - k}`),
  );
});

test("undo and redo survive a reload, within a bound", async () => {
  let tab = await opened(new Origin().page());
  for (const text of ["One", "One two", "One two three", "One too"]) tab.write(text);
  tab.edits.undo();
  tab = await reloaded(tab);
  assert.equal(tab.text, "One two three");
  tab.edits.redo();
  assert.equal(tab.text, "One too");
  for (const expected of ["One two three", "One two", "One", ""]) {
    tab.edits.undo();
    assert.equal(tab.text, expected);
  }
  const history = { past: [], future: [] };
  let doc = tree.emptyDocument();
  for (let k = 0; k < 150; k += 1) {
    history.past.push(doc);
    doc = tree.edited(doc, `${k} ${"x".repeat(k)}`);
  }
  const value = packedWithSteps(doc, history);
  assert.equal(value.past.length, 100);
  assert.deepEqual(unpackedWithSteps(value, null).past, history.past.slice(-100));
  const long = Array.from({ length: 9000 }, (_, k) => ({ t: ` ${k}`, s: 1, i: k, r: -1 }));
  history.past = [0, 1, 2, 3].map((id) =>
    tree.withTokens(
      doc,
      long.map((token) => ({ ...token, i: id })),
    ),
  );
  assert.equal(packedWithSteps(doc, history).past.length, 2); // 18,000 of at most 20,000 tokens
});

test("undo goes over New story, and a reload keeps each story's own steps", async () => {
  let tab = await opened(new Origin().page());
  tab.write("old");
  tab.begin("new");
  tab.edits.undo();
  assert.equal(tab.text, "old");
  tab.edits.redo();
  assert.equal(tab.text, "new");
  tab = await reloaded(tab);
  assert.equal(tab.text, "new");
  tab.edits.undo(); // the step before is of the other story
  assert.equal(tab.text, "new");
  assert.deepEqual(await texts(tab), ["new", "old"]);
});

test("another model reads the same text anew, and the model that wrote it finds its own words", async () => {
  let tab = await opened(new Origin().page(), [A]);
  tab.write("Once upon");
  tab.generate(" a fox");
  const before = words(tab);
  assert.deepEqual(
    before.map(([, , run]) => run),
    [-1, -1, 0, 0],
  );
  tab = await reloaded(tab, [B]);
  assert.equal(tab.text, "Once upon a fox");
  assert.ok(tab.said.includes("model_away"));
  assert.deepEqual(words(tab), [["Once upon a fox", null, -1]]);
  tab.score();
  assert.deepEqual(words(tab)[1], [" upon", idOf("B", " upon"), -1]);
  tab = await reloaded(tab, [B, A]); // nobody changed it
  assert.equal(tab.model, A);
  assert.deepEqual(words(tab), before);
  tab.choose("B");
  tab.write("Once upon a fox ran");
  tab.score();
  tab = await reloaded(tab, [A, B]);
  assert.equal(tab.model, B);
  tab.edits.undo();
  tab.edits.undo();
  assert.equal(tab.model, A);
  assert.deepEqual(words(tab), before);
});

test("branches of a model that is away keep their texts, and share their beginning again", async () => {
  let tab = await opened(new Origin().page(), [A]);
  tab.write("Once upon a time");
  tab.turn(2, " the moon");
  tab = await reloaded(tab, [B]);
  tab.score();
  const [first, second] = Object.values(tab.doc.branches);
  assert.equal(tree.textOf(first.tokens), "Once upon a time");
  assert.equal(tree.textOf(second.tokens), "Once upon the moon");
  assert.equal(tree.shared(first.tokens, second.tokens), 2);
});

test("two tabs that write one story both keep what they wrote", async () => {
  const origin = new Origin();
  const first = await opened(origin.page());
  await written(first, "Once");
  origin.isMute = true; // the second one does not hear of the first
  const second = await opened(origin.page());
  await written(second, "Once more");
  await written(first, "Once again");
  assert.deepEqual(await texts(first), ["Once again", "Once more"]);
  await written(first, "Once again!");
  assert.deepEqual(await texts(first), ["Once again!", "Once more"]);
});

test("a story is renamed, deleted and brought back", async () => {
  const tab = await opened(new Origin().page());
  await written(tab, "Once");
  const [{ id }] = await tab.stories.store.list();
  await tab.stories.store.rename(id, "The fox");
  await written(tab, "Once more");
  assert.equal((await tab.stories.store.list())[0].name, "The fox"); // writing keeps the name
  const deleted = await tab.stories.remove(id);
  assert.deepEqual([tab.text, await texts(tab)], ["", []]);
  await tab.stories.restore(deleted);
  assert.deepEqual([tab.text, await texts(tab)], ["Once more", ["Once more"]]);
  tab.edits.undo();
  assert.equal(tab.text, "Once"); // with its undo
});

test("all stories become a file, and come back from it once", async () => {
  const tab = await opened(new Origin().page());
  tab.write("Once upon");
  tab.generate(" a fox");
  tab.begin("“日本”");
  await written(tab);
  const file = await tab.stories.exported();
  assert.deepEqual(
    JSON.parse(file).stories.map(({ text }) => text),
    ["“日本”", "Once upon a fox"],
  );
  assert.deepEqual(await tab.stories.imported(file), { added: 0, unreadable: 0 });
  const other = await opened(new Origin().page());
  assert.deepEqual(await other.stories.imported(file), { added: 2, unreadable: 0 });
  assert.deepEqual(await texts(other), ["“日本”", "Once upon a fox"]);
  await other.stories.open((await other.stories.store.list())[1].id);
  assert.deepEqual(
    words(other).map(([, , run]) => run),
    [-1, -1, 0, 0],
  );
  const broken = JSON.parse(file);
  broken.stories[0].value.doc.branches[0].t = [5];
  assert.deepEqual(await other.stories.imported(JSON.stringify(broken)), { added: 0, unreadable: 1 });
  for (const wrong of ["", "[]", "{}", '{"inkling":"stories"}'])
    assert.equal(await other.stories.imported(wrong), null);
});

test("stories of the old names are taken over by every page of the origin, once", async () => {
  const origin = new Origin();
  const page = origin.page(new Map([["inkling", "7-7"]]));
  const old = await new Storage("/", page).database(
    "inkling",
    (database) => database.createObjectStore("stories", { keyPath: "id" }),
    false,
  );
  const doc = tree.packed(tree.edited(tree.emptyDocument(), "an old story"));
  delete doc.model; // the format of then
  delete doc.sharedRuns;
  const rows = old.transaction("stories", "readwrite").objectStore("stories");
  rows.put({ id: "7-7", at: 5, value: { doc, settings: { temperature: 0.5 }, odds: true } });
  rows.put({ id: "8-8", at: 9, value: { doc: { ...doc, branches: [{ ...doc.branches[0], t: ["a newer one"] }] } } });
  await settled();
  origin.room = 0;
  assert.deepEqual((await opened(origin.page(), [A], "/a/")).said, ["storage_full"]);
  origin.room = Infinity;
  let tab = await opened(page, [A], "/a/");
  assert.equal(tab.text, "an old story"); // the tab's own
  assert.deepEqual(await texts(tab), ["a newer one", "an old story"]);
  assert.deepEqual(await texts(await opened(origin.page(), [A], "/b/")), ["a newer one", "an old story"]);
  tab.write("an old story, changed");
  tab = await reloaded(tab);
  assert.deepEqual(await texts(tab), ["an old story, changed", "a newer one"]);
});

test("two pages of one origin keep nothing in common", async () => {
  const origin = new Origin();
  const [a, b] = [await opened(origin.page(), [A], "/a/"), await opened(origin.page(), [A], "/b/")];
  await written(a, "of a");
  await written(b, "of b");
  assert.deepEqual([await texts(a), await texts(b)], [["of a"], ["of b"]]);
  assert.deepEqual([...origin.databases.keys()].sort(), ["inkling-stories /a/", "inkling-stories /b/"]);
  assert.ok([...a.page.session.keys()].every((name) => name.endsWith(" /a/")));
  // The root's names are not the end of another one's.
  assert.ok(!scoped("inkling-models", "/a/").endsWith(scoped("", "/")));
});

const denied = () => {
  throw Object.assign(new Error("denied"), { name: "SecurityError" });
};

test("storage that is denied or missing: the page works, and says it once", async () => {
  const names = ["indexedDB", "localStorage", "sessionStorage", "BroadcastChannel"];
  const denying = names.map((name) => [name, { get: denied, configurable: true }]);
  for (const broken of [Object.defineProperties({}, Object.fromEntries(denying)), {}]) {
    const origin = new Origin();
    const page = Object.assign(broken, { origin, isGone: false });
    const tab = await opened(page);
    tab.write("Once");
    await written(tab, "Once upon");
    assert.equal(tab.text, "Once upon");
    assert.deepEqual(tab.said, ["storage_none"]);
    assert.equal(JSON.parse(await tab.stories.exported()).stories[0].text, "Once upon"); // the remedy works
    tab.stories.leave();
    const { local } = new Storage("/", page);
    assert.equal(local.set("inkling-night", "1"), false);
    assert.equal(local.get("inkling-night"), "1"); // until the page is left
  }
});

test("a database that does not answer is not waited for, and is used when it does", async () => {
  const origin = new Origin();
  origin.isSilent = true;
  let tab = new FakeWriter(origin.page(), [A]);
  await startedLate(tab);
  assert.deepEqual(tab.said, ["storage_none"]);
  tab.write("Once");
  left(tab);
  origin.isSilent = false;
  tab = await opened(origin.page(tab.page.session));
  assert.equal(tab.text, "Once");
  assert.deepEqual(await texts(tab), ["Once"]);
});

test("a database that answers late overwrites nothing, and is overwritten by nothing", async () => {
  let tab = await opened(new Origin().page());
  const { origin } = tab.page;
  await written(tab, "a long story");
  tab.page.isGone = true;
  origin.isSilent = true;
  tab = new FakeWriter(origin.page(tab.page.session), [A]);
  await startedLate(tab);
  assert.equal(tab.text, "");
  origin.isSilent = false;
  for (const reply of origin.unanswered.splice(0)) reply();
  await settled();
  await written(tab, "x");
  assert.deepEqual(await texts(tab), ["x", "a long story"]);
});

test("a full storage is said once, and nothing of the page is lost when there is room again", async () => {
  let tab = await opened(new Origin().page());
  const { origin } = tab.page;
  await written(tab, "Once");
  origin.room = 0;
  for (const text of ["Once upon", "Once upon a"]) await written(tab, text);
  assert.deepEqual(tab.said, ["storage_full"]);
  tab = await reloaded(tab);
  assert.equal(tab.text, "Once upon a");
  assert.deepEqual(
    JSON.parse(await tab.stories.exported()).stories.map(({ text }) => text),
    ["Once upon a"],
  );
  origin.room = Infinity;
  await written(tab);
  assert.deepEqual(await texts(tab), ["Once upon a"]);
});

test("what cannot be read is left as it is", async () => {
  let tab = await opened(new Origin().page());
  await written(tab, "Once");
  const { rows } = tab.page.origin.databases.get("inkling-stories /").stores.get("bodies");
  const [[id, row]] = rows;
  row.value.doc.format = 99; // of a newer version
  tab.page.isGone = true;
  tab = await opened(tab.page.origin.page(tab.page.session));
  assert.equal(tab.text, "");
  await written(tab, "more");
  assert.equal(rows.get(id).value.doc.format, 99);
  assert.equal(rows.size, 2);
});
