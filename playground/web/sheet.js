// The paper: a story's words, a span each, in an element that a person can write into.
//
// Text goes in as text nodes only, so a story that holds markup shows its letters. While words can be
// looked at (`looking`), they are buttons with one place in the tab order, which the arrow keys move.
// A token without letters (a space, a line break, the first half of a character that the next token
// completes) has a mark then, which is no part of the text, or its odds could not be pointed at.

import { label } from "./bars.js";
import { surpriseLevel } from "./odds.js";
import { textOf } from "./tree.js";

// A word's span: the space before it is not tinted, or it would hang at the end of a line.
function newWord(text) {
  const span = document.createElement("span");
  span.className = text.includes("\n") ? "word break" : "word";
  const [, space, letters] = /^(\s*)(.*)$/s.exec(text);
  const tint = document.createElement("span");
  tint.className = "tint";
  if (letters) tint.append(letters);
  else tint.dataset.mark = label(text);
  span.append(tint);
  if (space && letters) tint.before(space);
  else if (space) tint.after(space); // its mark stands at the end of the line that it breaks
  return span;
}

export class Sheet {
  // `events`: { edit(text), undo(), redo(), word(k, opened), pass(k), leave(), editAt(k) }.
  constructor(element, events) {
    this.element = element;
    this.events = events;
    this.tokens = [];
    this.spans = [];
    this.focused = 0; // of the word that Tab reaches
    this.looking = false;
    this.end = document.createElement("br"); // or a line break at the end could not be written after
    element.replaceChildren(this.end);
    this.listen();
  }

  listen() {
    const { element, events } = this;
    element.addEventListener("input", (event) => {
      if (!event.isComposing) events.edit(element.textContent);
    });
    element.addEventListener("compositionend", () => events.edit(element.textContent));
    element.addEventListener("beforeinput", (event) => {
      const history = { historyUndo: "undo", historyRedo: "redo" }[event.inputType];
      if (history) {
        event.preventDefault();
        events[history]();
      }
    });
    element.addEventListener("click", (event) => {
      const k = this.indexOf(event.target);
      if (this.looking && k >= 0) this.go(k, true);
    });
    element.addEventListener("pointerover", (event) => {
      const k = this.indexOf(event.target);
      if (this.looking && event.pointerType === "mouse") {
        if (k >= 0) events.pass(k);
        else events.leave();
      }
    });
    element.addEventListener("pointerleave", () => this.looking && events.leave());
    element.addEventListener("dblclick", (event) => {
      if (this.looking && this.indexOf(event.target) >= 0) events.editAt(this.indexOf(event.target));
    });
    element.addEventListener("keydown", (event) => this.looking && this.key(event));
  }

  key(event) {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step) this.go(this.focused + step);
    else if (event.key === "ArrowDown") this.go(this.line(1));
    else if (event.key === "ArrowUp") this.go(this.line(-1));
    else if (event.key === "Home") this.go(0);
    else if (event.key === "End") this.go(this.spans.length - 1);
    else if (event.key === "Enter" || event.key === " ") this.events.word(this.focused, true);
    else if (event.key === "F2") this.events.editAt(this.focused);
    else return;
    event.preventDefault();
  }

  // The word below (1) or above (-1) the present one.
  line(step) {
    const here = this.spans[this.focused]?.getBoundingClientRect();
    if (!here) return this.focused;
    let best = this.focused, distance = Infinity, line = null;
    for (let k = this.focused + step; k >= 0 && k < this.spans.length; k += step) {
      const box = this.spans[k].getClientRects()[0];
      if (!box || Math.abs(box.top - here.top) < box.height / 2) continue;
      line ??= box.top;
      if (Math.abs(box.top - line) > box.height / 2) break;
      if (Math.abs(box.left - here.left) < distance) {
        distance = Math.abs(box.left - here.left);
        best = k;
      }
    }
    return best;
  }

  // Moves to a word and opens its card.
  go(k, opened = false) {
    if (!this.spans[k]) return;
    this.moveTabStop(k);
    this.spans[k].focus();
    this.events.word(k, opened);
  }

  moveTabStop(k) {
    if (!this.looking) return;
    this.spans[this.focused]?.setAttribute("tabindex", "-1");
    this.focused = Math.max(0, Math.min(k, this.spans.length - 1));
    this.spans[this.focused]?.setAttribute("tabindex", "0");
  }

  indexOf(node) {
    const span = node.closest?.("span.word"); // from its tint
    return span && span.parentNode === this.element ? this.spans.indexOf(span) : -1;
  }

  // Shows tokens; those before `unseen` are out of the model's sight. What is there already stays.
  show(tokens, unseen = 0) {
    const { element, spans } = this;
    const caret = this.looking ? null : this.caret();
    let same = 0;
    while (
      same < tokens.length && same < spans.length && spans[same].parentNode === element &&
      element.childNodes[same] === spans[same] && spans[same].textContent === tokens[same].t
    ) same += 1;
    const intact = element.lastChild === this.end && element.childNodes.length === spans.length + 1;
    if (same < spans.length || !intact) {
      for (const node of [...element.childNodes].slice(same)) node.remove();
      spans.length = same;
      element.append(this.end);
    }
    const added = document.createDocumentFragment();
    for (let k = same; k < tokens.length; k += 1) {
      const span = newWord(tokens[k].t);
      spans.push(span);
      added.append(span);
    }
    element.insertBefore(added, this.end);
    for (let k = 0; k < tokens.length; k += 1) {
      if (k >= same || this.tokens[k] !== tokens[k] || this.unseen !== unseen) {
        const { s, r } = tokens[k], { dataset } = spans[k];
        dataset.odds = s === null ? "" : surpriseLevel(s);
        dataset.by = r < 0 ? "person" : "model";
        if (k < unseen) dataset.unseen = "";
        else delete dataset.unseen;
        this.dress(spans[k], k);
      }
    }
    this.tokens = tokens;
    this.unseen = unseen;
    element.dataset.empty = tokens.length === 0;
    if (this.focused >= spans.length) this.focused = 0;
    if (this.looking && spans[this.focused]?.getAttribute("tabindex") !== "0") this.moveTabStop(this.focused);
    if (caret !== null) this.setCaret(caret);
  }

  // A word is a button while it is looked at, and letters while it is written.
  dress(span, k) {
    if (this.looking) {
      span.setAttribute("role", "button");
      span.setAttribute("tabindex", k === this.focused ? "0" : "-1");
      const text = span.textContent;
      if (!text.trim()) span.setAttribute("aria-label", label(text));
    } else {
      for (const name of ["role", "tabindex", "aria-label"]) span.removeAttribute(name);
    }
  }

  setLooking(looking) {
    this.looking = looking;
    const { element } = this;
    if (looking) {
      element.setAttribute("role", "group");
      element.removeAttribute("aria-multiline");
    } else {
      element.setAttribute("role", "textbox");
      element.setAttribute("aria-multiline", "true");
    }
    this.focused = 0;
    this.spans.forEach((span, k) => this.dress(span, k));
    this.setWritable(!looking);
  }

  setWritable(writable) {
    const { element } = this;
    const value = !writable || this.looking ? "false" : "plaintext-only";
    if (element.getAttribute("contenteditable") !== value) element.setAttribute("contenteditable", value);
    if (this.looking) {
      element.removeAttribute("tabindex");
      element.removeAttribute("aria-readonly");
    } else {
      element.tabIndex = 0;
      element.setAttribute("aria-readonly", String(!writable));
    }
  }

  // Letters before the caret, or null while it is elsewhere.
  caret() {
    const selection = getSelection();
    if (!selection.rangeCount || !this.element.contains(selection.focusNode)) return null;
    const range = document.createRange();
    range.setStart(this.element, 0);
    range.setEnd(selection.focusNode, selection.focusOffset);
    return range.toString().length;
  }

  setCaret(offset) {
    const walker = document.createTreeWalker(this.element, NodeFilter.SHOW_TEXT);
    let left = offset;
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      if (left <= node.length) {
        getSelection().collapse(node, left);
        return;
      }
      left -= node.length;
    }
    getSelection().collapse(this.element, this.spans.length);
  }

  // Marks the word that holds a letter, for reading aloud; null marks none.
  mark(offset) {
    this.element.querySelector(".spoken")?.classList.remove("spoken");
    if (offset === null) return;
    let length = 0;
    const k = this.tokens.findIndex((token) => (length += token.t.length) > offset);
    this.spans[k < 0 ? this.spans.length - 1 : k]?.classList.add("spoken");
  }

  get text() {
    return textOf(this.tokens);
  }

  // Keeps the end in sight while words come, if it was in sight.
  follow(wasInSight) {
    if (wasInSight) this.end.scrollIntoView?.({ block: "nearest" });
  }

  endInSight(bottom) {
    const box = (this.spans.at(-1) ?? this.element).getBoundingClientRect();
    return box.bottom > 0 && box.bottom <= bottom + 40;
  }
}
