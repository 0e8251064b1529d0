// Which of the kept stories the page shows, and which model reads it.
//
// The text is the truth. A document's ids are of the model that wrote them: where that one is here, the menu
// selects it; where it is not, the page shows the same text and the model that is here reads it anew. What is
// kept stays as it was until somebody changes the story.

import { packedWithSteps, unpackedWithSteps } from "../editor/history.js";
import { showFacts } from "../editor/facts.js";
import { repaired } from "../sampling/settings.js";
import { storage } from "./storage.js";
import { Store, beginning, newId } from "./store.js";
import * as tree from "./tree.js";

export class Stories {
  constructor(writer, kept = storage) {
    this.writer = writer;
    this.originals = new WeakMap(); // documents that are read anew, with the ones that are kept
    this.untouched = null; // the document that was opened, until it is changed
    this.problem = null; // why nothing is kept
    this.store = new Store(kept, {
      problem: (kind) => this.fail(kind),
      saved: () => this.saved(),
    });
  }

  // What the page begins with: { doc, past, future, settings, odds, isRecord }.
  async load(record) {
    const { story, value, tab } = await this.store.load();
    const { settings, odds } = { ...value, ...tab };
    const kept = unpackedWithSteps(value, story);
    if (kept) return { ...kept, settings, odds };
    const isRecord = Boolean(record) && !value && !tab?.empty;
    const signed = tree.signature(this.writer.models[0]);
    const doc = isRecord ? tree.fromRecord(record, signed) : tree.emptyDocument();
    // What cannot be read is left as it is.
    return {
      doc: { ...doc, story: value ? newId() : story },
      past: [],
      future: [],
      settings,
      odds: odds ?? isRecord,
      isRecord,
    };
  }

  // Puts a story on the page.
  show({ doc, past, future }) {
    const { writer } = this;
    writer.history.past = past;
    writer.history.future = future;
    writer.last = null;
    writer.typing = null;
    this.untouched = doc;
    writer.doc = this.viewOf(doc);
    writer.changed();
    if (this.problem) this.tell();
  }

  newDocument(model = tree.signature(this.writer.model)) {
    return tree.emptyDocument(model, newId());
  }

  // A document as the models that are here can show it.
  viewOf(doc) {
    const { writer } = this;
    const wrote = tree.hasText(doc) && [writer.model, ...writer.models].find((model) => tree.isOf(doc, model));
    if (wrote) {
      if (wrote !== writer.model) {
        writer.field("model").value = wrote.name;
        showFacts(writer);
      }
      return doc;
    }
    const view = tree.rebased(doc, tree.signature(writer.model));
    this.originals.set(view, doc);
    if (doc.model?.name && tree.hasText(doc)) writer.say(writer.language.say("model_away", { name: doc.model.name }));
    return view;
  }

  // What is kept of a document on the page.
  keptOf(doc) {
    return this.originals.get(doc) ?? doc;
  }

  // A document with the same text took the place of another one: `edit` makes the same change to what is kept.
  follow(doc, next, edit = (kept) => kept) {
    const kept = this.originals.get(doc) ?? (doc === this.untouched ? doc : null);
    if (kept) this.originals.set(next, edit(kept));
    return next;
  }

  // A change that leaves every text as it is, such as the choice of a branch.
  change(edit) {
    const { doc } = this.writer;
    const next = edit(doc);
    if (this.originals.has(doc)) this.follow(doc, next, edit);
    this.writer.act(next);
  }

  // The page is being left.
  leave() {
    this.keep();
    const doc = this.keptOf(this.writer.doc),
      { settings, odds, history } = this.writer;
    if (doc === this.untouched && tree.hasText(doc) && !this.store.isKept(doc.story)) {
      this.store.keepTab({ story: doc.story, settings, odds, shown: packedWithSteps(doc, history) });
    }
    this.store.leave();
  }

  keep() {
    const { writer } = this;
    const doc = this.keptOf(writer.doc),
      { settings, odds } = writer;
    const empty = !tree.hasText(doc);
    // A database that does not answer now may do so after a reload.
    if (doc !== this.untouched || !this.problem) this.store.keepTab({ story: doc.story, settings, odds, empty });
    if (doc === this.untouched || (empty && !this.store.isKept(doc.story))) return;
    this.untouched = null;
    const steps = { past: [...writer.history.past], future: [...writer.history.future] };
    const kept = { settings: structuredClone(settings), odds };
    this.store.save(doc.story, () => ({
      value: { ...packedWithSteps(doc, steps), ...kept },
      ...beginning(tree.textOf(tree.current(doc).tokens)),
    }));
  }

  // Opens a kept story; the one that is there stays in the list.
  async open(id) {
    const { writer } = this;
    if (writer.writing) return;
    const found = await this.store.open(id);
    const kept = found && unpackedWithSteps(found.value, found.story);
    if (writer.writing) return;
    if (!kept) {
      writer.say(writer.language.say(found ? "story_unreadable" : "story_gone"));
      return;
    }
    Object.assign(writer.panel.values, repaired(found.value.settings));
    writer.panel.show();
    writer.say("");
    writer.appearance.showTitle({ isAnother: true });
    this.show(kept);
    writer.setOdds(Boolean(found.value.odds));
  }

  // Deletes a story; returns what `restore` takes.
  async remove(id) {
    const isHere = id === this.store.id;
    const kept = await this.store.remove(id);
    if (isHere) this.show({ doc: this.newDocument(), past: [], future: [] });
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
    if (this.writer.doc) this.tell();
  }

  tell() {
    this.writer.say(this.writer.language.say(this.problem === "full" ? "storage_full" : "storage_none"));
    this.writer.storiesPanel.refresh();
  }

  saved() {
    this.problem = null;
    this.writer.storiesPanel.refresh();
  }
}
