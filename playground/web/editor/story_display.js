// Shows the state: the story with the colours of its odds, the context meter below it, and which buttons are enabled.

import { partWith } from "../part.js";
import { outsideContext, textOf } from "../story/tree.js";
import { showWordsToUse } from "./words_to_use.js";

export class StoryDisplay extends partWith("frame", "state", "editor", "language") {
  constructor(page) {
    super(page);
    const { state } = this;
    state.on(["doc", "model", "language"], () => this.showTokens());
    state.on(["doc", "settings", "language"], () => showWordsToUse(this));
    state.on(["doc", "writing", "past", "future", "last", "language"], () => this.showButtons());
    state.on(["writing"], () => this.showWriting());
    state.on(["odds"], () => this.showOdds());
  }

  showTokens() {
    const { frame, editor, language, state } = this,
      { tokens } = state,
      { context } = state.now.model;
    const bar = frame.root.querySelector(".actions").getBoundingClientRect();
    const wasVisible = state.now.writing && editor.isEndVisible(bar.top || innerHeight);
    const unseen = outsideContext(tokens.length, context),
      n = tokens.length - unseen;
    editor.show(tokens, unseen);
    frame.root.classList.toggle("empty", !tokens.length);
    editor.follow(wasVisible);
    const meter = frame.field("context");
    meter.max = context || 1;
    meter.value = Math.min(n, context);
    const slid = unseen ? ` ${language.say("out_of_sight", { n: unseen })}.` : "";
    frame.part("context").textContent = `${language.say("context", { n, max: context })}.${slid}`;
  }

  showButtons() {
    const { frame, language, state } = this,
      { past, future, last, writing } = state.now,
      { tokens } = state;
    const name = writing ? "stop" : tokens.at(-1)?.r >= 0 ? "continue" : "generate";
    const button = frame.part("generate");
    button.textContent = language.say(name);
    button.dataset.shows = name;
    const can = {
      again: last,
      eight: true,
      undo: past.length,
      redo: future.length,
      new: tokens.length,
      share: tokens.length,
    };
    for (const [part, isPossible] of Object.entries(can)) frame.part(part).disabled = writing || !isPossible;
  }

  showWriting() {
    const { frame, editor, state } = this,
      writing = Boolean(state.now.writing);
    frame.root.classList.toggle("writing", writing);
    editor.element.setAttribute("aria-busy", String(writing));
    frame.field("model").disabled = writing; // token ids belong to one model
    if (state.now.odds) editor.setLooking(!writing);
    editor.setWritable(!writing);
  }

  showOdds() {
    const { odds } = this.state.now,
      { frame } = this;
    frame.field("odds").checked = odds;
    frame.root.classList.toggle("odds", odds);
    frame.part("legend").hidden = !odds;
    frame.part("edit").hidden = !odds;
    this.look();
  }

  // Makes the words focusable if their odds are shown.
  look() {
    const { odds, writing } = this.state.now;
    this.editor.setLooking(odds && !writing);
  }

  // Moves the caret into the text, after word k.
  editAt(k) {
    this.editor.setLooking(false);
    this.editor.element.focus();
    this.editor.setCaret(textOf(this.state.tokens.slice(0, k + 1)).length);
  }
}
