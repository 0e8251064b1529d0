// "Rewrite this sentence": other sentences for the place of one, and the story with the one that is chosen, as a new
// branch.

import { make } from "../make.js";
import { partWith } from "../part.js";
import { sentenceAt } from "../story/sentences.js";
import * as tree from "../story/tree.js";

const CONTEXT = 70; // characters before and behind a sentence that are shown beside it
const ALIKE = 0.5; // nats: what is as likely as it was

export class Rewrite extends partWith("state", "source", "language", "note", "edits", "panel", "choices") {
  // Looks for other sentences for the place of the one in which token k stands.
  async open(k) {
    const wish = this.panel.wish();
    if (!wish || this.state.now.writing || !(await this.edits.isScored())) return;
    const { doc, model } = this.state.now,
      { tokens } = tree.current(doc);
    const [from, to] = sentenceAt(tokens, k);
    const place = { model: model.name, tokens, from, to, settings: wish.settings, seed: wish.seed };
    const stop = new AbortController();
    this.state.set({ writing: stop });
    this.note.tell("rewriting");
    try {
      const { rewrite } = await import("../story/rewriting.js"); // 8 kB that few visitors need
      const found = await rewrite(this.source, place, stop.signal, (proposals) => {
        const rows = proposals.map((proposal) => this.row(place, proposal));
        if (!stop.signal.aborted) this.choices.show("rewrite_title", rows);
      });
      this.note.tell(found.length ? "rewritten" : "rewritten_none", { n: found.length });
    } catch (problem) {
      this.note.say(stop.signal.aborted ? this.language.say("stopped") : this.note.why(problem));
    }
    if (this.state.now.writing === stop) this.state.set({ writing: null });
  }

  row({ tokens, from, to }, proposal) {
    const { language } = this,
      text = tree.textOf(proposal.tokens);
    const dim = (some) => make("span", { className: "shared" }, some);
    const before = dim(tree.textOf(tokens.slice(0, from)).slice(-CONTEXT)),
      after = dim(tree.textOf(tokens.slice(to)).slice(0, CONTEXT));
    const item = make("li", {}, make("p", {}, before, text, after));
    if (to < tokens.length) {
      const name = proposal.gain > ALIKE ? "fits_better" : proposal.gain < -ALIKE ? "fits_less" : "fits_alike";
      item.append(make("p", { className: "hint" }, language.say(name)));
    }
    const label = `${language.say("rewrite_choose")}: ${text.trim()}`;
    const button = make("button", { type: "button", "aria-label": label }, language.say("rewrite_choose"));
    button.addEventListener("click", () => this.choose({ from, to }, proposal));
    item.append(button);
    return item;
  }

  // The story with this sentence: a branch, in which a person put what comes behind it. That is read anew.
  choose({ from, to }, { tokens: own, kept, run, surprises }) {
    this.state.now.writing?.abort(); // it looks for more
    this.state.set({ writing: null });
    const { tokens, ended } = tree.current(this.state.now.doc);
    const now = this.state.now.doc; // a word that was exchanged is a person's
    const [doc, number] = run ? tree.withRun(now, { ...run, begins: "", beyond: false }) : [now, -1];
    const behind = tokens.slice(to).map((token, k) => {
      const s = surprises[k] ?? null;
      return { t: token.t, s, i: s === null ? null : token.i, r: -1 };
    });
    const sentence = own.map((token, k) => (k < kept ? token : { ...token, r: number }));
    const all = [...tokens.slice(0, from), ...sentence, ...behind];
    this.choices.close();
    this.edits.act(tree.withTokens(tree.branched(doc, all), all, ended));
  }
}
