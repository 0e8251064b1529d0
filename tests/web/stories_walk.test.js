// 200 random sequences of what can befall a story, on the page's own store, with a browser's storage that is as
// good as the real one where it matters. After each step every story that was on a page can be opened, and
// what is kept is what was on the page. tests/browser/test_stories_walk.py does the same in Chromium.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Origin, Time, settled } from "./fake_browser.js";
import { FakeWriter, model } from "./fake_writer.js";
import { web } from "./modules.js";

const { unpackedWithSteps } = await web("story/history");
const tree = await web("story/tree");

const SEQUENCES = 200,
  STEPS = 12;
const WORDS = ["fox", "moon", "home", "Once", "ran", "“hi”", "日本", "🦊", "a\nb", "sang"];
const time = new Time();
const clock = Date.now;

// mulberry32
function randomOf(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

class World {
  constructor(seed) {
    this.random = randomOf(seed);
    this.origin = new Origin();
    this.origin.isMute = seed % 4 === 3;
    this.models = [model("A"), model("B")];
    this.tabs = [];
    this.expected = new Map(); // rows with the text that was on a page
    this.left = []; // changes that pages left, by their names, with the text that was on the page
    this.log = [];
  }

  pick(list) {
    return list[Math.floor(this.random() * list.length)];
  }

  words() {
    return Array.from({ length: 1 + Math.floor(this.random() * 4) }, () => ` ${this.pick(WORDS)}`).join("");
  }

  get here() {
    return this.pick([this.models, [this.models[0]], [this.models[1]], this.models.toReversed()]);
  }

  async openTab(session = new Map(), models = this.models) {
    const tab = new FakeWriter(this.origin.page(session), models);
    tab.texts = new Map(); // stories that wait to be written, with the last text on this page
    await tab.start();
    this.tabs.push(tab);
    await settled();
    return tab;
  }

  // A page goes away: it hears that, or it is ended at once, after what it had was written.
  async leave(tab) {
    const isEnded = this.random() < 0.2;
    if (isEnded) {
      time.pass(300);
      await settled();
      this.note(tab);
    }
    if (!isEnded || tab.stories.store.waiting.size || tab.stories.untouched) {
      const { store } = tab.stories;
      tab.stories.keep(); // the page does so at each change
      this.note(tab);
      const waiting = [...tab.texts].filter(([story]) => store.waiting.has(story));
      tab.stories.leave();
      if (this.origin.room)
        this.left.push(...waiting.map(([story, text]) => [store.known.get(store.rowOf(story)).at(-1), text]));
    }
    tab.page.isGone = true;
    this.tabs.splice(this.tabs.indexOf(tab), 1);
    await settled();
  }

  // Each step returns what it did, in a word.
  get steps() {
    const tab = this.pick(this.tabs),
      { store } = tab.stories;
    return {
      write: () => tab.write(tab.text + this.words()),
      writeBefore: () => tab.write(this.words() + tab.text),
      erase: () => tab.write(tab.text.slice(0, Math.floor(tab.text.length * this.random()))),
      generate: () => tab.generate(this.words()),
      score: () => tab.score(),
      turn: () => tab.turn(1, this.words()),
      branch: () => {
        const id = Number(this.pick(Object.keys(tab.doc.branches)));
        tab.edits.change((doc) => tree.selected(doc, id));
      },
      reload: () => this.reload(tab),
      anotherApp: () => this.reload(tab, this.here),
      secondTab: () => this.tabs.length < 4 && this.openTab(),
      duplicate: () => this.tabs.length < 4 && this.openTab(new Map(tab.page.session)),
      closeAll: async () => {
        for (const one of [...this.tabs]) await this.leave(one);
        await this.openTab(new Map(), this.here);
      },
      menu: () => tab.choose(this.pick(tab.models).name),
      server: () => (tab.isAway = !tab.isAway),
      full: () => (this.origin.room = this.origin.room === Infinity ? 0 : Infinity),
      clock: () => (Date.now = () => clock() + (this.random() - 0.5) * 1e12),
      newStory: () => this.leavesStory(tab, () => tab.begin(this.pick(["", this.words()]))),
      link: () => this.leavesStory(tab, () => tab.open(this.pick(["A", "B", "C"]), this.words())),
      undo: () => tab.edits.undo(),
      redo: () => tab.edits.redo(),
      openKept: async () => {
        const heads = await this.rows();
        if (!heads.length) return;
        const opening = tab.stories.open(this.pick(heads).id);
        await settled();
        await opening;
      },
      rename: async () => {
        const heads = await this.rows();
        if (heads.length && this.origin.room) await store.rename(this.pick(heads).id, this.words());
      },
      deleteAndBringBack: async () => {
        const heads = await this.rows();
        if (!heads.length || !this.origin.room) return;
        const deleted = await tab.stories.remove(this.pick(heads).id);
        await settled();
        const restoring = tab.stories.restore(deleted);
        await settled();
        await restoring;
      },
    };
  }

  // Another story is on the page; the one before stays what it was.
  leavesStory(tab, act) {
    this.note(tab);
    const { doc } = tab;
    act();
    assert.notEqual(tab.doc.story, doc.story);
  }

  async reload(tab, models = tab.models) {
    await this.leave(tab);
    const { text, doc } = tab,
      { untouched } = tab.stories;
    const again = await this.openTab(tab.page.session, models);
    for (const [story, words] of tab.texts) again.texts.set(tab.stories.store.rowOf(story), words);
    // What a tab shows after a reload is what it showed before, also while nothing can be written.
    // Tabs that do not hear each other may show a story that another one has changed since.
    const isOwn = !untouched || !this.origin.isMute;
    if (tree.hasText(doc) && isOwn) assert.equal(again.text, text, "a reload");
  }

  rows() {
    const database = this.origin.databases.get("inkling-stories /");
    return [...database.stores.get("heads").rows.values()];
  }

  // Notes the text of a page, and of those that are written since.
  note(tab) {
    const { store } = tab.stories;
    if (tab.stories.untouched === null) tab.texts.set(tab.stories.keptOf(tab.doc).story, tab.text);
    for (const [story, text] of tab.texts) {
      if (store.waiting.has(story)) continue;
      if (store.isKept(story)) this.expected.set(store.rowOf(story), text);
      tab.texts.delete(story);
    }
  }

  // What is kept is what was on the pages.
  check() {
    const database = this.origin.databases.get("inkling-stories /");
    const { rows } = database.stores.get("bodies");
    for (const [rev, text] of this.left.splice(0)) {
      const head = this.rows().find((row) => row.rev === rev);
      assert.ok(head, `what was left is kept: ${text}`);
      this.expected.set(head.id, text);
    }
    for (const tab of this.tabs) {
      assert.deepEqual(tab.foreign, [], "ids of another model");
      this.note(tab);
    }
    for (const [row, text] of this.expected) {
      const kept = unpackedWithSteps(rows.get(row)?.value, row);
      assert.ok(kept, `${row} can be opened`);
      assert.equal(tree.textOf(tree.current(kept.doc).tokens), text);
    }
    const heads = this.rows().toSorted((one, other) => other.used - one.used);
    assert.equal(new Set(heads.map(({ used }) => used)).size, heads.length, "every use has a number of its own");
    assert.equal(heads.length, rows.size);
  }

  async walk() {
    await this.openTab();
    for (let k = 0; k < STEPS; k += 1) {
      const { steps } = this,
        name = this.pick(Object.keys(steps));
      this.log.push(name);
      await steps[name]();
      if (this.random() < 0.7) time.pass(300);
      await settled();
      time.pass(0);
      this.check();
    }
    // There is room again: everything on every page is kept.
    this.origin.room = Infinity;
    for (const tab of [...this.tabs]) {
      const flushing = tab.stories.store.flush();
      await settled();
      await flushing;
      assert.equal(tab.stories.store.waiting.size, 0);
    }
    this.check();
  }
}

test("200 random sequences lose and falsify nothing", async () => {
  for (let seed = 0; seed < SEQUENCES; seed += 1) {
    const world = new World(seed);
    try {
      await world.walk();
    } catch (problem) {
      throw new Error(`sequence ${seed}, after ${world.log.join(", ")}: ${problem.message}`, { cause: problem });
    } finally {
      Date.now = clock;
    }
  }
});
