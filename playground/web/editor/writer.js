// <inkling-writer>: the page for writing and inspecting a story, in one element without a build step.
//
//   const writer = new Writer();
//   document.body.append(writer);
//   await writer.start({ source, models, texts, record });
//
// `source` (types.d.ts) is server.js on the app's page, and a worker on a page without a server. `models`: see
// folder/model_info.py; `texts`: text.json; `address`: before a link's text, by default this page's own; `files`: makes
// pictures and files of a story (files.js), or null; `record`: the record of a first story; `api`: whether to link
// web/api.html; `isOwner`: whether to link the other pages of the app (places.js).
//
// The element creates the parts and passes events to them. Each part shows the state (story/state.js) by itself.

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
import { StoryDisplay } from "./story_display.js";
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
    this.innerHTML = PAGE; // a constant, without text of a story
    const note = new Note({ frame, language });
    source.onWait = (seconds) => note.sayBusy(seconds);
    const page = { frame, state, language, note, source, models, files, base: address };
    const stories = (this.stories = new Stories(page, {
      listed: () => this.storiesPanel?.refresh(),
      opened: () => {
        this.appearance.showTitle({ isAnother: true });
        this.display.look();
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
    this.display.showWriting();
    this.display.showOdds();
    this.showModel();
    state.on(["doc", "writing", "settings", "odds"], () => state.now.writing || stories.keep());
    stories.keep();
    this.listen();
    this.changeModel(new URLSearchParams(location.search).get("model")); // links of Train and Models
    this.setAttribute("ready", "");
    const link = linkIn(location.href);
    if (link !== null) await this.sharing.open(link);
  }

  // Loads the core, which applies settings to distributions. Until then the bars show the model's own.
  async loadCore() {
    try {
      this.state.set({ core: await Core.load() });
    } catch {
      this.state.set({ isCoreMissing: true });
    }
  }

  // Creates the parts.
  build(begun) {
    const { frame, state, source } = begun;
    const editor = (this.editor = new Editor(frame.part("sheet"), {
      edit: (text) => this.edits.type(text) || this.display.showTokens(), // undo a refused edit
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
    const page = { ...begun, editor, edits, panel, choices, sharing };
    this.generation = new Generation(page);
    this.display = new StoryDisplay(page);
    this.rewriting = new Rewrite(page);
    this.card = new Popover(page, {
      ask: (token, ids) => source.candidates({ model: state.now.model.name, ids, text: "", token_id: token.i }),
      branch: (k, row) => this.generation.branch(k, row),
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

  // Events

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    this.editor.typing.settle(); // in some browsers a button leaves a word under composition
    const { do: action, preset, opening } = button.dataset;
    if (preset) this.panel.usePreset(preset);
    else if (opening) this.begin(this.language.say(`opening_${opening}`));
    else if (action === "generate") {
      // The second click of a double click must not press Stop, which has appeared under the pointer.
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
    else if (action === "night") this.appearance.night.toggle();
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
    } else if (command && event.key.toLowerCase() === "y" && event.target === this.editor.element) {
      this.travel("redo");
    } else if (event.key === "Escape") {
      if (!this.leaveTopmost()) return;
    } else return;
    event.preventDefault();
  }

  // Closes or stops only the topmost thing, after Escape; returns whether there was any.
  leaveTopmost() {
    if (this.querySelector("dialog[open]")) return false; // the browser closes it
    if (this.writing) this.writing.abort();
    else if (this.card.isOpen) this.card.close(true);
    else if (this.sharePanel.isOpen) this.sharePanel.close();
    else if (this.storiesPanel.isOpen) this.storiesPanel.close();
    else if (this.choices.isOpen) this.choices.close();
    else if (this.views.isOpen) this.views.close();
    else if (this.reading.isOn) this.reading.stop();
    else if (this.state.now.odds && !this.editor.looking) this.display.look();
    else return false;
    return true;
  }

  get writing() {
    return this.state.now.writing;
  }

  // Undoes or redoes; the caret, if it is in the text, moves to the change.
  travel(way) {
    const before = this.editor.text;
    this.edits[way]();
    this.editor.caretAfter(before);
  }

  // Starts a new story; the old one stays in the list, and Undo restores it.
  begin(text) {
    if (this.writing) return;
    this.appearance.showTitle({ isAnother: true });
    this.edits.act(tree.edited(this.stories.newDocument(), text));
    this.editAt(this.state.tokens.length - 1);
  }

  // Opens a link that was pasted into its field.
  async openLink(field) {
    const text = field.value.trim();
    if (!text || this.writing) return;
    field.value = "";
    this.appearance.showTitle({ isAnother: true });
    await this.sharing.open(text);
  }

  // Selects the model of this name, if it exists, which scores the story again.
  changeModel(name) {
    const model = this.models.find((other) => other.name === name);
    if (!model || model === this.state.now.model) return;
    this.state.set({ model });
    this.edits.act(tree.rebased(this.state.now.doc, tree.signature(model)));
  }

  showModel() {
    this.frame.field("model").value = this.state.now.model.name;
    showFacts(this);
  }

  // Selects one of several branches; after eight versions, continues it.
  async choose(id, continues) {
    this.edits.change((doc) => tree.selected(doc, id));
    if (continues && !tree.current(this.state.now.doc).ended) await this.generation.generate();
  }

  // Opens the popover of a word, but never over the share panel.
  lookAt(k, opened) {
    if (opened) this.sharePanel.close();
    if (!this.sharePanel.isOpen) this.card.open(k, opened);
  }

  // Moves the caret into the text, after word k.
  editAt(k) {
    this.card.close();
    this.display.editAt(k);
  }
}

customElements.define("inkling-writer", Writer);
