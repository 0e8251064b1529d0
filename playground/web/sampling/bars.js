// Probabilities as bars, before and after the settings; a row can be chosen.

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
    this.note = document.createElement("li");
    this.note.className = "others";
  }

  // Shows [{ text, before, after, chosen }] and a sentence below them. `after` is null where only `before` is known.
  show(rows, language, note = "") {
    while (this.rows.length < rows.length) this.rows.push(this.newRow());
    while (this.rows.length > rows.length) this.rows.pop().item.remove();
    const most = Math.max(1e-9, ...rows.flatMap((row) => [row.before, row.after]));
    rows.forEach((row, k) => {
      const { item, button, name, odds, before, after } = this.rows[k];
      const said = label(row.text);
      if (name.textContent !== said) name.textContent = said;
      odds.textContent = row.after === 0 ? "–" : percent(row.after ?? row.before, language.code);
      before.style.transform = `scaleX(${row.before / most})`;
      after.style.transform = `scaleX(${row.after / most})`;
      item.classList.toggle("cut", row.after === 0);
      item.classList.toggle("chosen", Boolean(row.chosen));
      if (row.chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
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
    const part = (tag, className, parent) => {
      const node = document.createElement(tag);
      node.className = className;
      parent.append(node);
      return node;
    };
    const item = document.createElement("li");
    const button = part("button", "bar", item);
    button.type = "button";
    const name = part("span", "name", button);
    const track = part("span", "track", button);
    const before = part("span", "before", track);
    const after = part("span", "after", track);
    const odds = part("span", "odds", button);
    button.addEventListener("click", () => this.choose(button.row));
    if (this.note.parentNode) this.list.insertBefore(item, this.note);
    else this.list.append(item);
    return { item, button, name, odds, before, after };
  }
}
