// The popover of a word: what could have stood in its place, beside the word.

import { partWith } from "../part.js";
import { Bars, label } from "../sampling/bars.js";
import { distribution, percent } from "../sampling/odds.js";
import { idsOf } from "../story/tree.js";

const ALTERNATIVES = 10; // bars
const LEAST_HEIGHT = 220; // pixels, however little room there is
const PASSING = 40; // ms that a pointer stays on a word before its card opens
const LEAVING = 300; // ms after which the card of a word that was left closes

export class Popover extends partWith("frame", "state", "sheet", "language", "note") {
  // `events`: { ask(token, ids), which promises what could have stood there; turn(k, row) }.
  constructor(page, events) {
    super(page);
    this.events = events;
    this.known = new WeakMap(); // what could have stood where a token stands
    this.element = this.frame.part("card");
    this.bars = new Bars(this.frame.part("alternatives"), (row) => events.turn(this.at, row));
    this.state.on(["core", "isCoreMissing"], () => this.refresh());
    // Whatever Undo takes back makes another story; that typed text is scored does not.
    this.state.on(["past", "future", "writing", "odds"], () => this.close());
  }

  get isOpen() {
    return !this.element.hidden;
  }

  // A pointer passes over a word: on its way it asks for nothing.
  pass(k) {
    clearTimeout(this.passing);
    this.passing = setTimeout(() => this.open(k, false), PASSING);
  }

  leave() {
    clearTimeout(this.leaving);
    clearTimeout(this.passing);
    this.leaving = setTimeout(() => {
      if (!this.element.matches(":hover, :focus-within")) this.close();
    }, LEAVING);
  }

  // What could have stood at token k; asked for once.
  async oddsAt(k) {
    const token = this.state.tokens[k];
    if (!this.known.has(token)) {
      const asked = this.events.ask(token, idsOf(this.state.tokens.slice(0, k)));
      this.known.set(token, asked);
      asked.catch(() => this.known.delete(token));
    }
    return this.known.get(token);
  }

  // Opens the card of word k; `opened` by a key or a click, the bars get the focus.
  async open(k, opened) {
    const token = this.state.tokens[k];
    if (!token || token.i === null || this.state.now.writing) return;
    this.looked = token;
    clearTimeout(this.leaving);
    let found;
    try {
      found = await this.oddsAt(k);
    } catch (problem) {
      this.note.say(this.note.why(problem));
      return;
    }
    if (this.looked !== token || !found) return;
    this.show(k, token, found);
    if (opened) this.element.querySelector("ol button")?.focus();
  }

  // Shows what is there once more: the core has come, or will not.
  refresh() {
    if (this.isOpen) this.show(...this.shown);
  }

  show(k, token, found) {
    this.shown = [k, token, found];
    const { language, sheet, state } = this;
    const { rows } = distribution(state.now.core, found, state.settingsOf(token));
    const mine = found.token;
    const word = document.createElement("strong");
    word.textContent = label(token.t);
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
    this.put(sheet.boxOf(k));
    sheet.element.querySelector(".looked")?.classList.remove("looked");
    sheet.spans[k].classList.add("looked");
  }

  // Below the word, or above it where there is more room; what does not fit is scrolled.
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
    card.style.maxHeight = `${Math.max(LEAST_HEIGHT, isBelow ? below : box.top - 12)}px`;
    const top = isBelow ? box.bottom + 6 : box.top - card.offsetHeight - 6;
    card.style.top = `${top - paper.top}px`;
  }

  close(refocus = false) {
    clearTimeout(this.leaving);
    clearTimeout(this.passing); // on a slow machine it would open again what was just closed
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.looked = null;
    const { sheet } = this;
    sheet.element.querySelector(".looked")?.classList.remove("looked");
    if (refocus && inside) sheet.spans[this.at]?.focus();
  }
}
