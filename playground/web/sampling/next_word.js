// The next word as bars, before and after the settings; one can be chosen.

import { partWith } from "../part.js";
import { Bars } from "./bars.js";
import { distribution, percent } from "./odds.js";
import { AT_REST } from "../story/edits.js";
import * as tree from "../story/tree.js";

const SHOWN = 12; // bars

export class NextWord extends partWith("frame", "state", "source", "language", "edits") {
  constructor(page) {
    super(page);
    this.found = null;
    this.foundFor = []; // the tokens, and the words to use
    this.bars = new Bars(this.frame.part("next"), (row) => this.pick(row));
    this.state.on(["settings", "core", "isCoreMissing", "language"], () => this.show());
    this.state.on(["doc", "model", "writing", "settings"], () => this.rest());
  }

  // Reads what was typed, and asks for the next word, once nobody has typed for a while.
  rest() {
    clearTimeout(this.resting);
    if (!this.state.now.writing) this.resting = setTimeout(() => this.atRest(), this.edits.typedAt ? AT_REST : 50);
  }

  async atRest() {
    try {
      await this.edits.score();
    } catch {
      /* it is scored when the story goes on */
    }
    await this.ask();
  }

  // The bars of the next word.
  async ask() {
    const { doc, model, settings } = this.state.now,
      { tokens } = this.state,
      { words_to_use, words_form } = settings;
    if (this.foundFor[0] === tokens && this.foundFor[1] === words_to_use) return;
    const request = {
      model: model.name,
      ids: tree.idsOf(tokens),
      text: tree.pendingText(tokens),
      token_id: null,
      settings: { words_to_use, words_form },
    };
    try {
      const found = await this.source.candidates(request);
      if (this.state.now.doc !== doc && this.state.tokens !== tokens) return;
      this.found = found;
      this.foundFor = [tokens, words_to_use];
      this.show();
    } catch {
      /* the bars stay as they were; what a person asks for next says why */
    }
  }

  show() {
    if (!this.found) return;
    const { core, isCoreMissing, settings } = this.state.now,
      { language } = this;
    const { rows, restBefore, restAfter } = distribution(core, this.found, settings);
    const name = core ? "after" : "before";
    const others = rows.slice(SHOWN).reduce((total, row) => total + row[name], core ? restAfter : restBefore);
    const sum = others > 0 ? percent(others, language.code) : "–";
    const note = isCoreMissing ? language.say("core_missing") : `${language.say("others")}: ${sum}`;
    this.bars.show(rows.slice(0, SHOWN), language, note);
  }

  // A word from the bars, at the end of the story.
  async pick(row) {
    if (this.state.now.writing || !(await this.edits.isScored())) return;
    const token = { t: row.text, s: -Math.log(Math.max(row.before, 1e-12)), i: row.id, r: -1 };
    this.edits.act(tree.withTokens(this.state.now.doc, [...tree.knownTokens(this.state.tokens), token]));
    await this.ask();
    this.frame.part("next").querySelector("button")?.focus();
  }
}
