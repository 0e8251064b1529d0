// <inkling-writer>: a story to write, see through and turn, in one element without a build step.
//
//   const writer = new Writer();
//   document.body.append(writer);
//   await writer.start({ source, models, texts, record });
//
// `source` (types.d.ts) is server.js on the app's page; a page without a server gives a worker. `models`: see
// folder/model_info.py; `texts`: text.json; `address`: what a link's text follows, if not this page's own; `files`:
// what makes pictures and files of a story (files.js), or null; `record`: a story's record to begin with; `api`:
// whether web/api.html shows how programs ask; `isOwner`: whether the other places of the app (places.js) are there.
//
// The element puts the parts together and hands them what a person does. Each part shows by itself what follows from
// the state (story/state.js).

import { Core } from "../sampling/core.js";
import { NextWord } from "../sampling/next_word.js";
import { SettingsPanel } from "../sampling/settings_panel.js";
import { SharePanel } from "../share/share_panel.js";
import { Sharing, linkIn } from "../share/sharing.js";
import { Edits } from "../story/edits.js";
import { State } from "../story/state.js";
import { storage } from "../story/storage.js";
import { Stories } from "../story/stories.js";
import * as tree from "../story/tree.js";
import { Appearance } from "./appearance.js";
import { Branches } from "./branches.js";
import { Choices } from "./choices.js";
import { Editor } from "./editor.js";
import { showFacts } from "./facts.js";
import { Frame } from "./frame.js";
import { Generation } from "./generation.js";
import { Language } from "./language.js";
import { PAGE } from "./layout.js";
import { LookCloser } from "./look_closer.js";
import { Note } from "./note.js";
import { Panels } from "./panels.js";
import { Paper } from "./paper.js";
import { Popover } from "./popover.js";
import { Reading } from "./reading.js";
import { Rewrite } from "./rewrite.js";
import { StoriesPanel } from "./stories_panel.js";

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
    const wanted = [storage.local.get("inkling-language"), ...navigator.languages].filter(Boolean);
    const language = (this.language = new Language(texts, wanted)),
      state = (this.state = new State({ model: models[0] })),
      { frame } = this;
    Object.assign(this, { source, models });
    this.innerHTML = PAGE; // constant: no word of a story is in it
    const note = new Note({ frame, language });
    source.onWait = (seconds) => note.sayBusy(seconds);
    const page = { frame, state, language, note, source, models, files, base: address };
    const stories = (this.stories = new Stories(page, {
      listed: () => this.storiesPanel?.refresh(),
      opened: () => {
        this.appearance.showTitle({ isAnother: true });
        this.paper.look();
      },
    }));
    const kept = await stories.load(record);
    state.set({ settings: kept.settings, odds: kept.odds });
    this.build({ ...page, stories });
    for (const model of models) frame.field("model").append(new Option(model.name, model.name));
    frame.part("models").hidden = models.length < 2;
    frame.part("api").hidden = !api;
    frame.part("places").hidden = !isOwner;
    this.loadCore();
    if (kept.isRecord) note.tell("first_story");
    stories.show(kept);
    this.paper.showWriting();
    this.paper.showOdds();
    this.showModel();
    state.on(["doc", "writing", "settings", "odds"], () => state.now.writing || stories.keep());
    stories.keep();
    this.listen();
    this.changeModel(new URLSearchParams(location.search).get("model")); // as Train and Models open this page
    this.setAttribute("ready", "");
    const link = linkIn(location.href);
    if (link !== null) await this.sharing.open(link);
  }

  // The core says what settings make of the odds. Until it has come, the bars show the model's own.
  async loadCore() {
    try {
      this.state.set({ core: await Core.load() });
    } catch {
      this.state.set({ isCoreMissing: true });
    }
  }

  // The parts, each with what it needs.
  build(begun) {
    const { frame, state, source } = begun;
    const sheet = (this.sheet = new Editor(frame.part("sheet"), {
      edit: (text) => this.edits.type(text) || this.paper.showTokens(), // as it was
      undo: () => this.travel("undo"),
      redo: () => this.travel("redo"),
      word: (k, opened) => this.lookAt(k, opened),
      pass: (k) => this.sharePanel.isOpen || this.card.pass(k),
      leave: () => this.card.leave(),
      editAt: (k) => this.editAt(k),
    }));
    const edits = (this.edits = new Edits(begun)),
      panel = (this.panel = new SettingsPanel(begun));
    const choices = (this.choices = new Choices(begun, (id, continues) => this.choose(id, continues)));
    const sharing = (this.sharing = new Sharing({ ...begun, edits }));
    const page = { ...begun, sheet, edits, panel, choices, sharing };
    this.generation = new Generation(page);
    this.paper = new Paper(page);
    this.rewriting = new Rewrite(page);
    this.card = new Popover(page, {
      ask: (token, ids) => source.candidates({ model: state.now.model.name, ids, text: "", token_id: token.i }),
      turn: (k, row) => this.generation.turn(k, row),
    });
    this.nextWord = new NextWord(page);
    this.reading = new Reading(page);
    this.sharePanel = new SharePanel(page, () => this.card.close());
    this.storiesPanel = new StoriesPanel(page, () => this.sharePanel.close());
    new Branches(page);
    this.views = new LookCloser(page);
    new Panels(this.querySelector("aside"));
    state.on(["model", "language"], () => this.showModel());
    this.appearance = new Appearance(page);
  }

  listen() {
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("input", (event) => this.input(event));
    this.addEventListener("change", (event) => this.input(event));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => this.stories.leave());
    document.addEventListener("visibilitychange", () => document.hidden && this.stories.store.flush());
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
      else if (event.detail < 2) this.writing.abort();
    } else if (action === "again") this.generation.again();
    else if (action === "eight") this.generation.eight();
    else if (action === "undo" || action === "redo") this.travel(action);
    else if (action === "new") this.begin("");
    else if (action === "stories") this.storiesPanel.toggle();
    else if (action === "edit") this.editAt(this.state.tokens.length - 1);
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

  /** @param {any} event */
  input({ target, type, inputType }) {
    if (!target.id?.startsWith("ink-")) return;
    const name = target.id.slice(4);
    if (name === "odds") this.state.set({ odds: target.checked });
    else if (name === "open") {
      if (type === "change" || inputType === "insertFromPaste") this.openLink(target);
    } else if (name === "model") this.changeModel(target.value);
    else this.panel.change(name, target);
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (event.isComposing) return;
    if (command && event.key === "Enter") {
      if (!this.writing) this.generation.generate();
    } else if (command && event.key.toLowerCase() === "z" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      this.travel(event.shiftKey ? "redo" : "undo");
    } else if (command && event.key.toLowerCase() === "y" && event.target === this.sheet.element) {
      this.travel("redo");
    } else if (event.key === "Escape") {
      if (!this.leaveTopmost()) return;
    } else return;
    event.preventDefault();
  }

  // Esc ends what is topmost, and nothing below it; whether there was anything.
  leaveTopmost() {
    if (this.querySelector("dialog[open]")) return false; // the browser closes it
    if (this.writing) this.writing.abort();
    else if (this.card.isOpen) this.card.close(true);
    else if (this.sharePanel.isOpen) this.sharePanel.close();
    else if (this.storiesPanel.isOpen) this.storiesPanel.close();
    else if (this.choices.isOpen) this.choices.close();
    else if (this.views.isOpen) this.views.close();
    else if (this.reading.isOn) this.reading.stop();
    else if (this.state.now.odds && !this.sheet.looking) this.paper.look();
    else return false;
    return true;
  }

  get writing() {
    return this.state.now.writing;
  }

  // Undo or redo; the caret, if it is in the text, goes where the text changes.
  travel(way) {
    const before = this.sheet.text;
    this.edits[way]();
    this.sheet.caretAfter(before);
  }

  // A new story; the old one stays in the list, and Undo brings it back.
  begin(text) {
    if (this.writing) return;
    this.appearance.showTitle({ isAnother: true });
    this.edits.act(tree.edited(this.stories.newDocument(), text));
    this.editAt(this.state.tokens.length - 1);
  }

  // The link that somebody pasted into its field.
  async openLink(field) {
    const text = field.value.trim();
    if (!text || this.writing) return;
    field.value = "";
    this.appearance.showTitle({ isAnother: true });
    await this.sharing.open(text);
  }

  // Another model of this name, if it is here, reads the story.
  changeModel(name) {
    const model = this.models.find((one) => one.name === name);
    if (!model || model === this.state.now.model) return;
    this.state.set({ model });
    this.edits.act(tree.rebased(this.state.now.doc, tree.signature(model)));
  }

  showModel() {
    this.frame.field("model").value = this.state.now.model.name;
    showFacts(this);
  }

  // One of several branches is chosen; of eight, it goes on.
  async choose(id, continues) {
    this.edits.change((doc) => tree.selected(doc, id));
    if (continues && !tree.current(this.state.now.doc).ended) await this.generation.generate();
  }

  // The popover of a word; it is never over the panel that shares the story.
  lookAt(k, opened) {
    if (opened) this.sharePanel.close();
    if (!this.sharePanel.isOpen) this.card.open(k, opened);
  }

  // Into the text, behind word k.
  editAt(k) {
    this.card.close();
    this.paper.editAt(k);
  }
}

customElements.define("inkling-writer", Writer);
