// <inkling-writer>: a story to write, see through and turn, in one element without a build step.
//
//   const writer = document.createElement("inkling-writer");
//   await writer.start({ source, models, texts, record });
//
// `source` has five methods: write(request, signal) and branch(request, signal), which yield messages
// { new: [[stream, texts, surprises, ids], ...], typed, ended }, and score(request), candidates(request) and
// record(request), which answer once. On the app's page that is server.js; a page without a server
// gives a worker. `models`: see pages/model_info.py; `texts`: text.json;
// `address`: what a link's text follows, if not this page's own; `files`: what makes pictures and files of a story
// (files.js), or null; `record`: a story's record to begin with; `api`: whether web/api.html
// shows how programs ask; `isOwner`: whether the other places of the app (places.js) are there.

import { Appearance } from "./appearance.js";
import { Branches } from "./branches.js";
import { Popover } from "./popover.js";
import { Choices } from "./choices.js";
import { Core } from "../sampling/core.js";
import { showFacts } from "./facts.js";
import { Frame } from "./frame.js";
import { Generation } from "./generation.js";
import { UndoHistory } from "./history.js";
import { Language } from "./language.js";
import { LookCloser } from "./look_closer.js";
import { PAGE } from "./layout.js";
import { NextWord } from "../sampling/next_word.js";
import { Reading } from "./reading.js";
import { Rewrite } from "./rewrite.js";
import { showWordsToUse } from "./words_to_use.js";
import { repaired } from "../sampling/settings.js";
import { SettingsPanel } from "../sampling/settings_panel.js";
import { SharePanel } from "../share/share_panel.js";
import { Sharing, linkIn } from "../share/sharing.js";
import { Editor } from "./editor.js";
import { storage } from "../story/storage.js";
import { Stories } from "../story/stories.js";
import { StoriesPanel } from "./stories_panel.js";
import * as tree from "../story/tree.js";

const CHARACTERS = 20_000,
  NEARLY = 0.9; // of a story; from which part on their number is told
const AT_REST = 600; // ms without a key after which typed text is scored
const SCORED_FIRST = 400; // characters of it

export class Writer extends HTMLElement {
  /** @type {Source} */
  source;
  /** @type {ModelInfo[]} */
  models;
  frame = new Frame(this);

  connectedCallback() {
    this.classList.add("inkling");
  }

  async start({ source, models, texts, record = null, address = null, files = null, api = false, isOwner = false }) {
    Object.assign(this, { source, models, record, address, files });
    source.onWait = (seconds) => this.sayBusy(seconds);
    const wanted = [storage.local.get("inkling-language"), ...navigator.languages].filter(Boolean);
    this.language = new Language(texts, wanted);
    this.innerHTML = PAGE; // constant: no word of a story is in it
    this.history = new UndoHistory();
    this.writing = null;
    this.core = null;
    this.stories = new Stories(this);
    this.store = this.stories.store;
    const kept = await this.stories.load(record);
    this.build({ api, isOwner, settings: kept.settings });
    this.loadCore();
    if (kept.isRecord) this.say(this.language.say("first_story"));
    this.setOdds(Boolean(kept.odds));
    this.stories.show(kept);
    this.selectModel(new URLSearchParams(location.search).get("model")); // as Train and Models open this page
    this.setAttribute("ready", "");
    const link = linkIn(location.href);
    if (link !== null) await this.sharing.open(link);
  }

  // The core says what settings make of the odds. Until it has come, the bars show the model's own.
  async loadCore() {
    try {
      this.core = await Core.load();
    } catch {
      this.isCoreMissing = true;
    }
    this.nextWord.show();
    this.card.refresh();
    this.views.changed();
  }

  // A sentence for the bars where the core did not load; else empty.
  get missing() {
    return this.isCoreMissing ? this.language.say("core_missing") : "";
  }

  // @ts-expect-error: Element.part is of a shadow tree's parts, which this element has none of
  part(name) {
    return this.frame.part(name);
  }

  field(name) {
    return this.frame.field(name);
  }

  build({ api, isOwner, settings }) {
    this.sheet = new Editor(this.part("sheet"), {
      edit: (text) => this.edit(text),
      undo: () => this.undo(),
      redo: () => this.redo(),
      word: (k, opened) => this.lookAt(k, opened),
      pass: (k) => this.sharePanel.isOpen || this.card.pass(k),
      leave: () => this.card.leave(),
      editAt: (k) => this.editAt(k),
    });
    this.card = new Popover(this, {
      ask: (token, ids) => this.source.candidates({ model: this.model.name, ids, text: "", token_id: token.i }),
      turn: (k, row) => this.generation.turn(k, row),
      failed: (problem) => this.say(this.why(problem)),
    });
    this.panel = new SettingsPanel(this, repaired(settings));
    this.generation = new Generation(this);
    this.rewriting = new Rewrite(this.givenToRewrite(), {
      begins: () => {
        this.card.close();
        this.choices.close();
      },
      isReady: () => this.isScored(),
    });
    this.nextWord = new NextWord(this);
    this.choices = new Choices(this);
    this.reading = new Reading(this);
    this.sharing = new Sharing(this);
    this.sharePanel = new SharePanel(this);
    this.storiesPanel = new StoriesPanel(this);
    this.branchList = new Branches(this.part("branches"), {
      select: (id) => this.stories.change((doc) => tree.selected(doc, id)),
      rename: (id, name) => this.stories.change((doc) => tree.renamed(doc, id, name)),
      prune: (id) => this.stories.change((doc) => tree.pruned(doc, id)),
    });
    this.views = new LookCloser(this, { list: this.part("views"), place: this.part("view") }, this.givenToViews());
    for (const model of this.models) this.field("model").append(new Option(model.name, model.name));
    this.part("models").hidden = this.models.length < 2;
    this.part("api").hidden = !api;
    this.part("places").hidden = !isOwner;
    this.panel.show();
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("input", (event) => this.input(event));
    this.addEventListener("change", (event) => this.input(event));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => this.stories.leave());
    document.addEventListener("visibilitychange", () => document.hidden && this.store.flush());
    this.appearance = new Appearance(this);
    this.appearance.showWords();
  }

  // What a view sees of the page (views.js).
  givenToViews() {
    const writer = this;
    return {
      get tokens() {
        return writer.tokens;
      },
      get ids() {
        return tree.knownTokens(writer.tokens).map((token) => token.i);
      },
      get text() {
        return tree.textOf(writer.tokens);
      },
      get writing() {
        return Boolean(writer.writing);
      },
      get model() {
        return writer.model;
      },
      get settings() {
        return writer.settings;
      },
      get core() {
        return writer.core;
      },
      models: writer.models,
      source: writer.source,
      language: writer.language,
      say: (sentence) => writer.say(sentence),
    };
  }

  // What "Rewrite this sentence" reads and changes of the page.
  givenToRewrite() {
    const writer = this;
    const { source, language, panel } = this;
    const state = {
      get now() {
        return { doc: writer.doc, model: writer.model, writing: writer.writing };
      },
      set({ writing }) {
        writer.writing = writing;
        writer.showWriting();
      },
    };
    const note = { say: (sentence) => this.say(sentence), why: (problem) => this.why(problem) };
    return { frame: this, state, source, language, panel, note, edits: { act: (doc) => this.act(doc) } };
  }

  showWordsToUse() {
    const { language, settings } = this;
    const words = settings.words_to_use ?? [];
    showWordsToUse(this.part("words-to-use"), { text: tree.textOf(this.tokens), words, language });
  }

  // What a person does

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    this.sheet.typing.settle(); // in some browsers a button leaves a word under composition
    const { do: action, preset, opening } = button.dataset;
    if (preset) this.panel.usePreset(preset);
    else if (opening) this.begin(this.language.say(`opening_${opening}`));
    else if (action === "generate") {
      // Of a double click the second is not for Stop, which has come under the pointer.
      if (!this.writing) this.generation.generate();
      else if (event.detail < 2) this.stop();
    } else if (action === "again") this.generation.again();
    else if (action === "eight") this.generation.eight();
    else if (action === "undo") this.undo();
    else if (action === "redo") this.redo();
    else if (action === "new") this.begin("");
    else if (action === "stories") this.storiesPanel.toggle();
    else if (action === "edit") this.editAt(this.tokens.length - 1);
    else if (action === "read") this.reading.read();
    else if (action === "share") this.sharePanel.open();
    else if (action === "compare") this.choices.compare();
    else if (action === "rewrite") this.rewriting.open(this.card.at);
    else if (action === "close-card") this.card.close(true);
    else if (action === "close-choices") this.choices.close();
    else if (action === "close-view") this.views.close();
    else if (action === "night") this.appearance.setNight(!this.appearance.night);
    else if (action === "language") this.appearance.nextLanguage();
  }

  input(event) {
    const { id } = event.target;
    if (!id?.startsWith("ink-")) return;
    const name = id.slice(4);
    if (name === "odds") this.setOdds(event.target.checked);
    else if (name === "open") {
      if (event.type === "change" || event.inputType === "insertFromPaste") this.sharing.openField();
    } else if (name === "model" && event.type === "change") this.changeModel();
    else this.panel.change(name, event.target);
    this.nextWord.show();
    this.showWordsToUse();
    this.views.changed();
    this.keep();
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (event.isComposing) return;
    if (command && event.key === "Enter") {
      if (!this.writing) this.generation.generate();
    } else if (command && event.key.toLowerCase() === "z" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      event.shiftKey ? this.redo() : this.undo();
    } else if (command && event.key.toLowerCase() === "y" && event.target === this.sheet.element) {
      this.redo();
    } else if (event.key === "Escape") {
      if (!this.leaveTopmost()) return;
    } else return;
    event.preventDefault();
  }

  // Esc ends what is topmost, and nothing below it; whether there was anything.
  leaveTopmost() {
    if (this.querySelector("dialog[open]")) return false; // the browser closes it
    if (this.writing) this.stop();
    else if (this.card.isOpen) this.card.close(true);
    else if (this.sharePanel.isOpen) this.sharePanel.close();
    else if (this.storiesPanel.isOpen) this.storiesPanel.close();
    else if (this.choices.isOpen) this.choices.close();
    else if (this.views.isOpen) this.views.close();
    else if (this.reading.isOn) this.reading.stop();
    else if (this.odds && !this.sheet.looking) this.look();
    else return false;
    return true;
  }

  // The document and what was

  get branch() {
    return tree.current(this.doc);
  }

  get tokens() {
    return this.branch.tokens;
  }

  get settings() {
    return this.panel.values;
  }

  // How a word was written, or would be.
  settingsOf(token) {
    return this.doc.runs[token.r]?.settings ?? this.settings;
  }

  get model() {
    return this.models.find(({ name }) => name === this.field("model").value) ?? this.models[0];
  }

  // Another document that Undo takes back.
  act(doc) {
    if (this.writing || doc === this.doc) return;
    this.remember();
    this.last = null;
    this.doc = doc;
    this.card.close();
    this.changed();
  }

  remember() {
    this.history.remember(this.stories.keptOf(this.doc));
    this.typing = null;
  }

  undo() {
    this.travel("back");
  }

  redo() {
    this.travel("forward");
  }

  travel(way) {
    const doc = this.writing ? null : this.history[way](this.stories.keptOf(this.doc));
    if (!doc) return;
    const before = this.sheet.text;
    this.doc = this.stories.viewOf(doc);
    this.typing = null;
    this.last = null;
    this.card.close();
    this.changed();
    this.sheet.caretAfter(before);
  }

  // Text that a person typed, cut or pasted.
  edit(text) {
    if (text.length > CHARACTERS && text.length >= this.sheet.text.length) {
      // what gets shorter is taken
      this.say(this.language.say("too_long", { max: CHARACTERS, n: text.length }));
      this.showTokens();
      return;
    }
    if (this.writing || text === this.sheet.text) return;
    const now = Date.now(); // quick keys are undone together
    if (!this.typing || now - this.typing > AT_REST) this.remember();
    this.typing = now;
    this.last = null;
    this.doc = tree.edited(this.doc, text);
    this.changed();
    if (text.length > NEARLY * CHARACTERS) {
      this.say(this.language.say("nearly_full", { max: CHARACTERS, n: text.length }));
    }
  }

  // A new story; the old one stays in the list, and Undo brings it back.
  begin(text) {
    if (this.writing) return;
    this.appearance.showTitle({ isAnother: true });
    this.act(tree.edited(this.stories.newDocument(), text));
    this.editAt(this.tokens.length - 1);
  }

  // Changes to a model by its name, if it is here.
  selectModel(name) {
    if (name === this.model.name || !this.models.some((model) => model.name === name)) return;
    this.field("model").value = name;
    this.changeModel();
  }

  changeModel() {
    showFacts(this);
    this.act(tree.rebased(this.doc, tree.signature(this.model))); // it reads for itself
  }

  // Writing

  stop() {
    this.writing?.abort();
  }

  // Looking

  setOdds(on) {
    this.odds = on;
    this.field("odds").checked = on;
    this.classList.toggle("odds", on);
    this.part("legend").hidden = !on;
    this.look(on);
  }

  // The popover of a word; it is never over the panel that shares the story.
  lookAt(k, opened) {
    if (opened) this.sharePanel.close();
    if (!this.sharePanel.isOpen) this.card.open(k, opened);
  }

  look(on = this.odds) {
    this.sheet.setLooking(on && !this.writing);
    this.part("edit").hidden = !on;
    if (!on) this.card.close();
    this.keep();
  }

  // Into the text, behind word k.
  editAt(k) {
    this.card.close();
    this.sheet.setLooking(false);
    this.sheet.element.focus();
    this.sheet.setCaret(tree.textOf(this.tokens.slice(0, k + 1)).length);
  }

  // Whether all typed text has its tokens; if not, the page says why.
  async isScored() {
    try {
      await this.scorePending();
      return true;
    } catch (problem) {
      this.say(this.why(problem));
      return false;
    }
  }

  // What went wrong, in words of the page.
  why(problem) {
    if (problem.constructor.name === "Lost") return this.language.say("lost");
    return this.language.say("nothing", { why: problem.message });
  }

  // Whether a link can say the story as it stands here; if not, the page says why.
  async isReadAsItIs() {
    if (!(await this.isScored())) return false;
    if (!tree.pendingText(this.tokens).trim()) return true;
    this.say(this.language.say("read_otherwise", { name: this.model.name }));
    return false;
  }

  async scoreBranches() {
    for (const id of Object.keys(this.doc.branches)) await this.scorePending(Number(id));
  }

  // A branch's typed text as the model reads it, with its surprise: what was changed first, and the rest in larger
  // and larger parts.
  async scorePending(id = this.doc.current) {
    const all = () => this.doc.branches[id]?.tokens ?? [];
    let whole = tree.textOf(all());
    for (let length = SCORED_FIRST; tree.pendingText(all()).trim() && !this.writing; length *= 4) {
      const doc = this.doc,
        text = tree.firstWords(tree.pendingText(all()), length);
      const ids = tree.knownTokens(all()).map((token) => token.i);
      const found = await this.source.score({ model: this.model.name, ids, text });
      const tokens = found?.tokens.map(([t, s, i]) => ({ t, s, i, r: -1 })) ?? [];
      const read = tree.textOf(tokens);
      if (tree.textOf(all()) !== whole || !read) return;
      if (!text.startsWith(read)) return; // some tokenizers read another text: it stays as it was typed
      if (this.doc !== doc) continue; // somebody else asked too, and was first
      // A space at the end belongs to the next word: it is typed text still.
      this.doc = this.stories.follow(doc, tree.scored(doc, tokens, read.length, id));
      whole = tree.textOf(all());
      this.showTokens();
      this.branchList.show(this.doc, this.language);
      this.keep();
    }
  }

  // Showing

  // All that follows from another document.
  changed() {
    this.sharePanel.close();
    this.showTokens();
    this.showWriting();
    this.branchList.show(this.doc, this.language);
    const several = Object.keys(this.doc.branches).length > 1;
    this.part("branches-room").hidden = !several;
    this.keep();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.atRest(), this.typing ? AT_REST : 50);
  }

  async atRest() {
    if (this.writing) return;
    try {
      await this.scorePending();
    } catch {
      /* it is scored when the story goes on */
    }
    await this.nextWord.ask();
  }

  showTokens(follow = false) {
    const bar = this.querySelector(".actions").getBoundingClientRect();
    const inSight = follow && this.sheet.endInSight(bar.top || innerHeight);
    const { tokens } = this;
    const { context } = this.model;
    const unseen = tree.outOfSight(tokens.length, context);
    this.sheet.show(tokens, unseen);
    this.classList.toggle("empty", !tokens.length);
    this.sheet.follow(inSight);
    this.showWordsToUse();
    this.views.changed();
    const meter = this.field("context");
    meter.max = context || 1;
    meter.value = Math.min(tokens.length - unseen, context);
    const { language } = this;
    const slid = unseen ? ` ${language.say("out_of_sight", { n: unseen })}.` : "";
    this.part("context").textContent =
      `${language.say("context", { n: tokens.length - unseen, max: context })}.${slid}`;
  }

  showWriting() {
    const writing = Boolean(this.writing),
      { language } = this;
    this.classList.toggle("writing", writing);
    this.sheet.element.setAttribute("aria-busy", String(writing));
    const written = this.tokens.length > 0 && this.tokens.at(-1).r >= 0;
    const name = writing ? "stop" : written ? "continue" : "generate";
    const button = this.part("generate");
    button.textContent = language.say(name);
    button.dataset.shows = name;
    const off = {
      again: writing || !this.last,
      eight: writing,
      undo: writing || !this.history.past.length,
      redo: writing || !this.history.future.length,
      new: writing || !this.tokens.length,
      share: writing || !this.tokens.length,
    };
    for (const [part, disabled] of Object.entries(off)) this.part(part).disabled = disabled;
    this.field("model").disabled = writing; // ids are one model's
    if (writing !== this.wasWriting) {
      if (this.odds) this.sheet.setLooking(!writing);
      this.sheet.setWritable(!writing);
      this.wasWriting = writing;
    }
    this.reading.show();
  }

  // A sentence on the page, which a screen reader reads too.
  say(sentence) {
    this.part("note").textContent = sentence;
    this.part("live").textContent = sentence;
  }

  // That a busy server is waited for; 0 seconds when it has answered.
  sayBusy(seconds) {
    if (seconds) this.say(this.language.say("busy", { n: seconds }));
    else if (this.part("note").textContent === this.busy) this.say("");
    this.busy = this.part("note").textContent;
  }

  keep() {
    if (this.doc) this.stories.keep();
  }
}

// @ts-expect-error: as above
customElements.define("inkling-writer", Writer);
