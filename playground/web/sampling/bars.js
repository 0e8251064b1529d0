// Probabilities as bars, before and after the settings; a row can be chosen.

import { make, setAttribute, setText } from "../make.js";
import { percent } from "./odds.js";

// A token as people read it: its space and line breaks made visible.
export function label(text) {
  if (text === "") return "·";
  const shown = text.replaceAll("\n", "↵").replaceAll("\t", "⇥");
  return shown.trim() ? shown.trim() : "␣".repeat(shown.length);
}

export class Bars {
  // `choose(row)` when one is chosen.
  constructor(list, choose) {
    this.list = list;
    this.choose = choose;
    this.rows = [];
    this.note = make("li", { className: "others" });
  }

  // Shows [{ text, before, after, chosen }] and a sentence below them. `after` is null where only `before` is known.
  show(rows, language, note = "") {
    while (this.rows.length < rows.length) this.rows.push(this.newRow());
    while (this.rows.length > rows.length) this.rows.pop().item.remove();
    const most = Math.max(1e-9, ...rows.flatMap((row) => [row.before, row.after]));
    rows.forEach((row, k) => {
      const { item, button, name, odds, before, after } = this.rows[k];
      setText(name, label(row.text));
      odds.textContent = row.after === 0 ? "–" : percent(row.after ?? row.before, language.code);
      before.style.transform = `scaleX(${row.before / most})`;
      after.style.transform = `scaleX(${row.after / most})`;
      item.classList.toggle("cut", row.after === 0);
      item.classList.toggle("chosen", Boolean(row.chosen));
      setAttribute(button, "aria-current", row.chosen ? "true" : null);
      button.row = row;
    });
    this.showNote(note);
  }

  showNote(note) {
    this.note.textContent = note;
    if (note) this.list.append(this.note);
    else this.note.remove();
  }

  newRow() {
    const part = (className, ...children) => make("span", { className }, ...children);
    const [name, before, after, odds] = ["name", "before", "after", "odds"].map((className) => part(className));
    const button = make("button", { type: "button", className: "bar" }, name, part("track", before, after), odds);
    button.addEventListener("click", () => this.choose(button.row));
    const item = make("li", {}, button);
    this.list.insertBefore(item, this.note.parentNode ? this.note : null);
    return { item, button, name, odds, before, after };
  }
}
