// The stored stories: which one the page shows, and which model scores it.
//
// A document's token ids belong to the model that wrote them. If that model is available, the menu selects it;
// otherwise the page shows the same text, and another model scores it again. The stored document stays unchanged until
// somebody edits the story.

import { partWith } from "../part.js";
import { repaired } from "../sampling/settings.js";
import { packedWithSteps, unpackedWithSteps } from "./history.js";
import { storage } from "./storage.js";
import { Store, beginning, newId } from "./store.js";
import * as tree from "./tree.js";

export class Stories extends partWith("state", "models", "note") {
  // `events`: { listed(): the list has changed; opened(): a story of it is shown }.
  constructor(page, events, kept = storage) {
    super(page);
    this.events = events;
    this.originals = new WeakMap(); // stored documents, by the documents that another model scores
    this.untouched = null; // the opened document, until it is changed
    this.problem = null; // why stories cannot be stored
    this.store = new Store(kept, {
      problem: (kind) => this.fail(kind),
      saved: () => this.saved(),
    });
  }

  // Returns the story with which the page starts, for `show`, and whether it is the record.
  async load(record) {
    const { story, value, tab } = await this.store.load();
    const { settings, odds } = { ...value, ...tab };
    const kept = unpackedWithSteps(value, story);
    const isRecord = !kept && Boolean(record) && !value && !tab?.empty;
    const looks = { settings: repaired(settings), odds: Boolean(odds ?? isRecord), isRecord };
    if (kept) return { ...kept, ...looks };
    const doc = isRecord ? tree.fromRecord(record, tree.signature(this.models[0])) : tree.emptyDocument();
    // An unreadable story stays stored under its id.
    return { doc: { ...doc, story: value ? newId() : story }, past: [], future: [], ...looks };
  }

  // Shows a story on the page, with its own settings and odds if it has them.
  show({ doc, past = [], future = [], settings = this.state.now.settings, odds = this.state.now.odds }) {
    this.untouched = doc;
    this.state.set({ ...this.viewOf(doc), past, future, settings, odds, last: null });
    if (this.problem) this.tell();
  }

  newDocument(model = tree.signature(this.state.now.model)) {
    return tree.emptyDocument(model, newId());
  }

  // Returns a document with the model that scores it, for an available model if its own is missing: { doc, model }.
  viewOf(doc) {
    const { model } = this.state.now;
    const wrote = tree.hasText(doc) && [model, ...this.models].find((one) => tree.isOf(doc, one));
    if (wrote) return { doc, model: wrote };
    const view = tree.rebased(doc, tree.signature(model));
    this.originals.set(view, doc);
    if (doc.model?.name && tree.hasText(doc)) this.note.tell("model_away", { name: doc.model.name });
    return { doc: view, model };
  }

  // Returns the stored document of a document on the page.
  keptOf(doc) {
    return this.originals.get(doc) ?? doc;
  }

  // Replaces a document by one with the same text; `edit` makes the same change to the stored document.
  follow(doc, next, edit = (kept) => kept) {
    const kept = this.originals.get(doc) ?? (doc === this.untouched ? doc : null);
    if (kept) this.originals.set(next, edit(kept));
    return next;
  }

  // Returns a document after a change that leaves every text unchanged.
  changed(doc, edit) {
    return this.originals.has(doc) ? this.follow(doc, edit(doc), edit) : edit(doc);
  }

  // Saves while the page closes.
  leave() {
    this.keep();
    const { settings, odds, past, future } = this.state.now,
      doc = this.keptOf(this.state.now.doc);
    if (doc === this.untouched && tree.hasText(doc) && !this.store.isKept(doc.story)) {
      this.store.keepTab({ story: doc.story, settings, odds, shown: packedWithSteps(doc, { past, future }) });
    }
    this.store.leave();
  }

  keep() {
    const { settings, odds, past, future } = this.state.now,
      doc = this.keptOf(this.state.now.doc);
    const empty = !tree.hasText(doc);
    // A database that does not answer now may answer after a reload.
    if (doc !== this.untouched || !this.problem) this.store.keepTab({ story: doc.story, settings, odds, empty });
    if (doc === this.untouched || (empty && !this.store.isKept(doc.story))) return;
    this.untouched = null;
    this.store.save(doc.story, () => ({
      value: { ...packedWithSteps(doc, { past, future }), settings, odds },
      ...beginning(tree.textOf(tree.current(doc).tokens)),
    }));
  }

  // Opens a stored story; the current one stays in the list.
  async open(id) {
    const { state, note } = this;
    if (state.now.writing) return;
    const stored = await this.store.open(id);
    const story = stored && unpackedWithSteps(stored.value, stored.story);
    if (state.now.writing) return;
    if (!story) {
      note.tell(stored ? "story_unreadable" : "story_gone");
      return;
    }
    note.say("");
    this.show({ ...story, settings: repaired(stored.value.settings), odds: Boolean(stored.value.odds) });
    this.events.opened();
  }

  // Deletes a story; returns the value for `restore`.
  async remove(id) {
    const isHere = id === this.store.id;
    const kept = await this.store.remove(id);
    if (isHere) this.show({ doc: this.newDocument() });
    return { kept, isHere };
  }

  async restore({ kept, isHere }) {
    await this.store.restore(kept);
    if (isHere) await this.open(kept.id);
  }

  // Returns all stories as the text of one file, each also as plain text, for people.
  async exported() {
    const all = await this.store.all();
    const stories = all.map(({ id, name, text, value }) => {
      const doc = tree.unpacked(value?.doc);
      const { settings, odds } = value ?? {};
      const whole = doc ? tree.textOf(tree.current(doc).tokens) : text;
      return { id, name, text: whole, value: { doc: value?.doc, settings, odds } };
    });
    return JSON.stringify({ inkling: "stories", format: 1, stories }, null, 1);
  }

  // Adds the stories of such a file; returns { added, unreadable }, or null if it is another file.
  async imported(text) {
    let file;
    try {
      file = JSON.parse(text);
    } catch {
      return null;
    }
    if (file?.inkling !== "stories" || !Array.isArray(file.stories)) return null;
    const good = [];
    for (const story of file.stories) {
      const doc = tree.unpacked(story?.value?.doc);
      if (!doc) continue;
      const { id, name, value } = story;
      good.push({
        id: typeof id === "string" ? id : null,
        name: typeof name === "string" ? name : "",
        value: { doc: value.doc, settings: value.settings, odds: Boolean(value.odds) },
        ...beginning(tree.textOf(tree.current(doc).tokens)),
      });
    }
    return { added: await this.store.add(good), unreadable: file.stories.length - good.length };
  }

  fail(kind) {
    this.problem = kind;
    if (this.state.now.doc) this.tell();
  }

  tell() {
    this.note.tell(this.problem === "full" ? "storage_full" : "storage_none");
    this.events.listed();
  }

  saved() {
    this.problem = null;
    this.events.listed();
  }
}
