// The popover of a word: its alternatives, beside the word.

import { make } from "../make.js";
import { partWith } from "../part.js";
import { Bars, label } from "../sampling/bars.js";
import { distribution, percent } from "../sampling/odds.js";
import { idsOf } from "../story/tree.js";

const ALTERNATIVES = 10; // bars
const MIN_HEIGHT = 220; // pixels
const OPEN_DELAY = 40; // ms that a pointer stays on a word before its popover opens
const CLOSE_DELAY = 300; // ms after the pointer has left the word

export class Popover extends partWith("frame", "state", "editor", "language", "note") {
  // `events`: { ask(token, ids), which promises the candidates at a token; branch(k, row) }.
  constructor(page, events) {
    super(page);
    this.events = events;
    this.known = new WeakMap(); // candidates by token
    this.element = this.frame.part("card");
    this.bars = new Bars(this.frame.part("alternatives"), (row) => events.branch(this.at, row));
    this.state.on(["core", "isCoreMissing"], () => this.refresh());
    // Undo steps change the story; scoring of typed text does not, and leaves the popover open.
    this.state.on(["past", "future", "writing", "odds"], () => this.close());
  }

  get isOpen() {
    return !this.element.hidden;
  }

  // A pointer is over a word: a short delay avoids requests for words that it only crosses.
  pass(k) {
    clearTimeout(this.passing);
    this.passing = setTimeout(() => this.open(k, false), OPEN_DELAY);
  }

  leave() {
    clearTimeout(this.leaving);
    clearTimeout(this.passing);
    this.leaving = setTimeout(() => {
      if (!this.element.matches(":hover, :focus-within")) this.close();
    }, CLOSE_DELAY);
  }

  // Returns the candidates at token k, which are requested once.
  async oddsAt(k) {
    const token = this.state.tokens[k];
    if (!this.known.has(token)) {
      const request = this.events.ask(token, idsOf(this.state.tokens.slice(0, k)));
      this.known.set(token, request);
      request.catch(() => this.known.delete(token));
    }
    return this.known.get(token);
  }

  // Opens the popover of word k; if it is `opened` by a key or a click, the bars get the focus.
  async open(k, opened) {
    const token = this.state.tokens[k];
    if (!token || token.i === null || this.state.now.writing) return;
    this.looked = token;
    clearTimeout(this.leaving);
    let candidates;
    try {
      candidates = await this.oddsAt(k);
    } catch (problem) {
      this.note.say(this.note.why(problem));
      return;
    }
    if (this.looked !== token || !candidates) return;
    this.show(k, token, candidates);
    if (opened) this.element.querySelector("ol button")?.focus();
  }

  // Shows the popover again, when the core was loaded or could not be.
  refresh() {
    if (this.isOpen) this.show(...this.shown);
  }

  show(k, token, candidates) {
    this.shown = [k, token, candidates];
    const { language, editor, state } = this;
    const { rows } = distribution(state.now.core, candidates, state.settingsOf(token));
    const mine = candidates.token;
    const word = make("strong", {}, label(token.t));
    this.frame.part("headline").replaceChildren(word, ` ${percent(mine.probability, language.code)}`);
    const standing = mine.rank === 0 ? language.say("rank_1") : language.say("rank_n", { n: mine.rank });
    this.frame.part("standing").textContent = token.r < 0 ? `${standing}, ${language.say("typed")}` : standing;
    this.bars.show(
      rows.slice(0, ALTERNATIVES).map((row) => ({ ...row, chosen: row.id === mine.token_id })),
      language,
      state.now.isCoreMissing ? language.say("core_missing") : "",
    );
    this.at = k;
    this.element.hidden = false;
    this.put(editor.boxOf(k));
    editor.element.querySelector(".looked")?.classList.remove("looked");
    editor.spans[k].classList.add("looked");
  }

  // Places the popover below the word, or above it if there is more room; its content scrolls.
  put(box) {
    if (!box) return;
    const card = this.element,
      paper = card.parentNode.getBoundingClientRect();
    const left = Math.min(box.left - paper.left, paper.width - card.offsetWidth - 8);
    card.style.left = `${Math.max(8, left)}px`;
    card.style.maxHeight = "none";
    const bar = this.frame.root.querySelector(".actions");
    const below = Math.min(bar?.getBoundingClientRect().top ?? innerHeight, innerHeight) - box.bottom - 12;
    const isBelow = below > card.offsetHeight || below > box.top;
    card.style.maxHeight = `${Math.max(MIN_HEIGHT, isBelow ? below : box.top - 12)}px`;
    const top = isBelow ? box.bottom + 6 : box.top - card.offsetHeight - 6;
    card.style.top = `${top - paper.top}px`;
  }

  close(refocus = false) {
    clearTimeout(this.leaving);
    clearTimeout(this.passing); // or it could open again at once
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.looked = null;
    const { editor } = this;
    editor.element.querySelector(".looked")?.classList.remove("looked");
    if (refocus && inside) editor.spans[this.at]?.focus();
  }
}
