// "Rewrite this sentence": other sentences for the place of one, and the story with the one that is chosen, as a new
// branch.

import { rewrite } from "../story/rewriting.js";
import { sentenceAt } from "../story/sentences.js";
import * as tree from "../story/tree.js";

const CONTEXT = 70; // characters before and behind a sentence that are shown beside it
const ALIKE = 0.5; // nats: what is as likely as it was

export class Rewrite {
  /**
   * `begins`: sentences are about to be looked for; `isReady`: whether all of the story is read.
   * @param {Record<string, any>} given
   * @param {{ begins: () => void, isReady: () => Promise<boolean> }} events
   */
  constructor({ frame, state, source, language, note, edits, panel }, events) {
    this.frame = frame;
    this.state = state;
    this.source = source;
    this.language = language;
    this.note = note;
    this.edits = edits;
    this.panel = panel;
    this.events = events;
  }

  // Looks for other sentences for the place of the one in which token k stands.
  async open(k) {
    const wish = this.panel.wish();
    if (!wish || this.state.now.writing || !(await this.events.isReady())) return;
    const { doc, model } = this.state.now,
      { tokens } = tree.current(doc);
    const [from, to] = sentenceAt(tokens, k);
    const place = { model: model.name, tokens, from, to, settings: wish.settings, seed: wish.seed };
    const stop = new AbortController();
    this.events.begins();
    this.state.set({ writing: stop });
    this.note.say(this.language.say("rewriting"));
    try {
      const found = await rewrite(this.source, place, stop.signal, (proposals) => {
        if (!stop.signal.aborted) this.show(place, proposals);
      });
      this.note.say(this.language.say(found.length ? "rewritten" : "rewritten_none", { n: found.length }));
    } catch (problem) {
      this.note.say(stop.signal.aborted ? this.language.say("stopped") : this.note.why(problem));
    }
    if (this.state.now.writing === stop) this.state.set({ writing: null });
  }

  show(place, proposals) {
    const { frame, language } = this;
    frame.part("choices").hidden = false;
    frame.part("choices-title").textContent = language.say("rewrite_title");
    frame.part("choices-list").replaceChildren(...proposals.map((proposal) => this.row(place, proposal)));
  }

  row({ tokens, from, to }, proposal) {
    const { language } = this;
    const part = (name, text = "") => {
      const node = document.createElement(name);
      node.append(text);
      return node;
    };
    const dim = (text) => {
      const span = part("span", text);
      span.className = "shared";
      return span;
    };
    const item = part("li"),
      text = tree.textOf(proposal.tokens);
    const sentence = part("p");
    sentence.append(
      dim(tree.textOf(tokens.slice(0, from)).slice(-CONTEXT)),
      text,
      dim(tree.textOf(tokens.slice(to)).slice(0, CONTEXT)),
    );
    item.append(sentence);
    if (to < tokens.length) {
      const name = proposal.gain > ALIKE ? "fits_better" : proposal.gain < -ALIKE ? "fits_less" : "fits_alike";
      const hint = part("p", language.say(name));
      hint.className = "hint";
      item.append(hint);
    }
    const button = part("button", language.say("rewrite_choose"));
    button.type = "button";
    button.setAttribute("aria-label", `${language.say("rewrite_choose")}: ${text.trim()}`);
    button.addEventListener("click", () => this.choose({ from, to }, proposal));
    item.append(button);
    return item;
  }

  // The story with this sentence: a branch, in which a person put what comes behind it. That is read anew.
  choose({ from, to }, { tokens: own, kept, run, surprises }) {
    this.state.now.writing?.abort(); // it looks for more
    this.state.set({ writing: null });
    const { tokens, ended } = tree.current(this.state.now.doc);
    const [doc, number] = tree.withRun(this.state.now.doc, { ...run, begins: "", beyond: false });
    const behind = tokens.slice(to).map((token, k) => {
      const s = surprises[k] ?? null;
      return { t: token.t, s, i: s === null ? null : token.i, r: -1 };
    });
    const sentence = own.map((token, k) => (k < kept ? token : { ...token, r: number }));
    const all = [...tokens.slice(0, from), ...sentence, ...behind];
    this.frame.part("choices").hidden = true;
    this.edits.act(tree.withTokens(tree.branched(doc, all), all, ended));
  }
}
