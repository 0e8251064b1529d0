// Which of the kept stories the page shows, and which model reads it.
//
// The text is the truth. A document's ids are of the model that wrote them: where that one is here, the menu
// selects it; where it is not, the page shows the same text and the model that is here reads it anew. What is
// kept stays as it was until somebody changes the story.

import { partWith } from "../part.js";
import { repaired } from "../sampling/settings.js";
import { packedWithSteps, unpackedWithSteps } from "./history.js";
import { storage } from "./storage.js";
import { Store, beginning, newId } from "./store.js";
import * as tree from "./tree.js";

export class Stories extends partWith("state", "models", "note") {
  // `events`: { listed(), the list is another one; opened(), a story of it is shown }.
  constructor(page, events, kept = storage) {
    super(page);
    this.events = events;
    this.originals = new WeakMap(); // documents that are read anew, with the ones that are kept
    this.untouched = null; // the document that was opened, until it is changed
    this.problem = null; // why nothing is kept
    this.store = new Store(kept, {
      problem: (kind) => this.fail(kind),
      saved: () => this.saved(),
    });
  }

  // What the page begins with, as `show` takes it, and whether it is the record.
  async load(record) {
    const { story, value, tab } = await this.store.load();
    const { settings, odds } = { ...value, ...tab };
    const kept = unpackedWithSteps(value, story);
    const isRecord = !kept && Boolean(record) && !value && !tab?.empty;
    const looks = { settings: repaired(settings), odds: Boolean(odds ?? isRecord), isRecord };
    if (kept) return { ...kept, ...looks };
    const doc = isRecord ? tree.fromRecord(record, tree.signature(this.models[0])) : tree.emptyDocument();
    // What cannot be read is left as it is.
    return { doc: { ...doc, story: value ? newId() : story }, past: [], future: [], ...looks };
  }

  // Puts a story on the page, with its settings and odds if they are its own.
  show({ doc, past = [], future = [], settings = this.state.now.settings, odds = this.state.now.odds }) {
    this.untouched = doc;
    this.state.set({ ...this.viewOf(doc), past, future, settings, odds, last: null });
    if (this.problem) this.tell();
  }

  newDocument(model = tree.signature(this.state.now.model)) {
    return tree.emptyDocument(model, newId());
  }

  // A document as the models that are here can show it, with the one that reads it: { doc, model }.
  viewOf(doc) {
    const { model } = this.state.now;
    const wrote = tree.hasText(doc) && [model, ...this.models].find((one) => tree.isOf(doc, one));
    if (wrote) return { doc, model: wrote };
    const view = tree.rebased(doc, tree.signature(model));
    this.originals.set(view, doc);
    if (doc.model?.name && tree.hasText(doc)) this.note.tell("model_away", { name: doc.model.name });
    return { doc: view, model };
  }

  // What is kept of a document on the page.
  keptOf(doc) {
    return this.originals.get(doc) ?? doc;
  }

  // A document with the same text takes the place of another one: `edit` makes the same change to what is kept.
  follow(doc, next, edit = (kept) => kept) {
    const kept = this.originals.get(doc) ?? (doc === this.untouched ? doc : null);
    if (kept) this.originals.set(next, edit(kept));
    return next;
  }

  // A document after a change that leaves every text as it is.
  changed(doc, edit) {
    return this.originals.has(doc) ? this.follow(doc, edit(doc), edit) : edit(doc);
  }

  // The page is being left.
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
    // A database that does not answer now may do so after a reload.
    if (doc !== this.untouched || !this.problem) this.store.keepTab({ story: doc.story, settings, odds, empty });
    if (doc === this.untouched || (empty && !this.store.isKept(doc.story))) return;
    this.untouched = null;
    this.store.save(doc.story, () => ({
      value: { ...packedWithSteps(doc, { past, future }), settings, odds },
      ...beginning(tree.textOf(tree.current(doc).tokens)),
    }));
  }

  // Opens a kept story; the one that is there stays in the list.
  async open(id) {
    const { state, note } = this;
    if (state.now.writing) return;
    const found = await this.store.open(id);
    const kept = found && unpackedWithSteps(found.value, found.story);
    if (state.now.writing) return;
    if (!kept) {
      note.tell(found ? "story_unreadable" : "story_gone");
      return;
    }
    note.say("");
    this.show({ ...kept, settings: repaired(found.value.settings), odds: Boolean(found.value.odds) });
    this.events.opened();
  }

  // Deletes a story; returns what `restore` takes.
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

  // All stories as one file's text; each with its words, for people.
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

  // Adds the stories of such a file: { added, unreadable }, or null if it is not such a file.
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
