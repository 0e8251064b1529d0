// The next word as bars, before and after the settings; one can be chosen.

import { Bars } from "./bars.js";
import { distribution, percent } from "./odds.js";
import * as tree from "../story/tree.js";

const SHOWN = 12; // bars

export class NextWord {
  constructor(writer) {
    this.writer = writer;
    this.bars = new Bars(writer.part("next"), (row) => this.pick(row));
  }

  // The bars of the next word.
  async ask() {
    const tokens = this.writer.tokens,
      doc = this.writer.doc;
    const request = {
      model: this.writer.model.name,
      ids: tree.knownTokens(tokens).map((token) => token.i),
      text: tree.pendingText(tokens),
      token_id: null,
    };
    try {
      const found = await this.writer.source.candidates(request);
      if (this.writer.doc !== doc && this.writer.tokens !== tokens) return;
      this.found = found;
      this.show();
    } catch {
      /* the bars stay as they were; what a person asks for next says why */
    }
  }

  show() {
    if (!this.found) return;
    const { core, language, settings } = this.writer;
    const { rows, restBefore, restAfter } = distribution(core, this.found, settings);
    const name = core ? "after" : "before";
    const others = rows.slice(SHOWN).reduce((total, row) => total + row[name], core ? restAfter : restBefore);
    const sum = others > 0 ? percent(others, language.code) : "–";
    this.bars.show(rows.slice(0, SHOWN), language, this.writer.missing || `${language.say("others")}: ${sum}`);
  }

  // A word from the bars, at the end of the story.
  async pick(row) {
    if (this.writer.writing || !(await this.writer.isScored())) return;
    this.writer.remember();
    const token = { t: row.text, s: -Math.log(Math.max(row.before, 1e-12)), i: row.id, r: -1 };
    this.writer.doc = tree.withTokens(this.writer.doc, [...tree.knownTokens(this.writer.tokens), token]);
    this.writer.changed();
    await this.ask();
    this.writer.part("next").querySelector("button")?.focus();
  }
}
