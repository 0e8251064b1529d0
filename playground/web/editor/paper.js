// The paper: the story with the colours of its odds, what is below it, and which buttons can be pressed.

import { partWith } from "../part.js";
import { outOfSight, textOf } from "../story/tree.js";
import { showWordsToUse } from "./words_to_use.js";

export class Paper extends partWith("frame", "state", "sheet", "language") {
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
    const { frame, sheet, language, state } = this,
      { tokens } = state,
      { context } = state.now.model;
    const bar = frame.root.querySelector(".actions").getBoundingClientRect();
    const inSight = state.now.writing && sheet.endInSight(bar.top || innerHeight);
    const unseen = outOfSight(tokens.length, context),
      n = tokens.length - unseen;
    sheet.show(tokens, unseen);
    frame.root.classList.toggle("empty", !tokens.length);
    sheet.follow(inSight);
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
    const { frame, sheet, state } = this,
      writing = Boolean(state.now.writing);
    frame.root.classList.toggle("writing", writing);
    sheet.element.setAttribute("aria-busy", String(writing));
    frame.field("model").disabled = writing; // ids are one model's
    if (state.now.odds) sheet.setLooking(!writing);
    sheet.setWritable(!writing);
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

  // The words can be looked at, if their odds are shown.
  look() {
    const { odds, writing } = this.state.now;
    this.sheet.setLooking(odds && !writing);
  }

  // Into the text, behind word k.
  editAt(k) {
    this.sheet.setLooking(false);
    this.sheet.element.focus();
    this.sheet.setCaret(textOf(this.state.tokens.slice(0, k + 1)).length);
  }
}
