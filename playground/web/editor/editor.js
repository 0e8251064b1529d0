// The editor: a story's words, one span each, in an editable element. Every paragraph is a block, so that the browser
// lays out only the one that changes.
//
// The content follows from the tokens alone. Other changes of the element (a composition, which a page cannot prevent;
// an extension that translates) are read or undone: see typing.js.
//
// Text is inserted as text nodes only, so markup in a story is shown as text. While words can be inspected (`looking`),
// they are buttons with one tab stop, which the arrow keys move (roving tabindex). A token without visible characters
// (a space, a line break, the first half of a character that the next token completes) then has a mark, which is not
// part of the text, so that a pointer can reach it.

import { arrange, make, setAttribute } from "../make.js";
import { label } from "../sampling/bars.js";
import { surpriseLevel } from "../sampling/odds.js";
import { paragraphsOf } from "./paragraphs.js";
import { textOf, tokenAt, unchanged } from "../story/tree.js";
import { Typing } from "./typing.js";

// Returns a word's span. The space before the word is not tinted: the tint would hang over at the end of a line.
function newWord(text) {
  const [, space, letters] = /^(\s*)(.*)$/s.exec(text);
  const tint = make("span", { className: "tint", "data-mark": letters ? null : label(text) });
  if (letters) tint.append(letters);
  const span = make("span", { className: "word" }, tint);
  if (space && letters) tint.before(space);
  else if (space) tint.after(space); // a line break's mark is at the end of its line
  return span;
}

const newParagraph = () => make("div", { className: "paragraph", dir: "auto" }); // of its own letters

const isSameText = (one, other) => one.text === other.text;
const isSameParagraph = (one, other) =>
  !one.touched &&
  one.pieces.length === other.pieces.length &&
  one.pieces.every((piece, n) => piece.text === other.pieces[n].text);

// Fills a paragraph's element, reusing the element and the unchanged spans of the paragraph `old`.
function fill(paragraph, old) {
  const { pieces } = paragraph;
  const known = old && !old.touched ? old.pieces : [];
  const element = (paragraph.element = old?.element ?? newParagraph());
  if (!known.length) element.replaceChildren();
  const [start, end] = unchanged(known, pieces, isSameText);
  for (const { span } of known.slice(start, known.length - end)) span.remove();
  const added = document.createDocumentFragment();
  pieces.forEach((piece, n) => {
    const there = n < start ? known[n] : n < pieces.length - end ? null : known.at(n - pieces.length);
    if (there) Object.assign(piece, { span: there.span, token: there.token, isUnseen: there.isUnseen });
    else added.append((piece.span = newWord(piece.text)));
  });
  if (added.firstChild) element.insertBefore(added, end ? known.at(-end).span : null);
  if (paragraph.text) element.querySelector(":scope > br")?.remove();
  else if (element.lastChild?.tagName !== "BR") element.append(make("br"));
}

export class Editor {
  // `events`: { edit(text), undo(), redo(), word(k, opened), pass(k), leave(), editAt(k) }.
  constructor(element, events) {
    this.element = element;
    this.events = events;
    this.tokens = [];
    this.paragraphs = []; // of paragraphsOf(), with an element each, and a span and a token for each piece
    this.spans = []; // of each token, the first with visible characters, else the first
    this.focused = 0; // index of the tab stop
    this.looking = false;
    element.translate = false; // an edit of a translated story would change another text
    this.typing = new Typing(this);
    this.listen();
    this.show([]);
  }

  listen() {
    const { element, events } = this;
    element.addEventListener("click", (event) => {
      const k = this.indexOf(event.target);
      if (this.looking && k >= 0 && getSelection().isCollapsed) this.go(k, true);
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
    const ahead = event.target.matches(":dir(rtl)") ? -1 : 1;
    const step = { ArrowRight: ahead, ArrowLeft: -ahead }[event.key];
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

  // Returns the word below (1) or above (-1) the focused one.
  line(step) {
    const here = this.boxOf(this.focused);
    if (!here) return this.focused;
    let best = this.focused,
      distance = Infinity,
      line = null;
    for (let k = this.focused + step; k >= 0 && k < this.spans.length; k += step) {
      const box = this.boxOf(k);
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

  // Returns the box of a word without the space before it, which may be at the end of the previous line.
  boxOf(k) {
    const span = this.spans[k];
    return span?.querySelector(".tint").getClientRects()[0] ?? span?.getClientRects()[0];
  }

  // Moves to a word and opens its popover.
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
    const pieces = this.paragraphs.find(({ element }) => element === span?.parentNode)?.pieces ?? [];
    return pieces.find((piece) => piece.span === span)?.k ?? -1;
  }

  // Shows tokens, reusing unchanged elements; tokens before `unseen` are outside the context window. During a
  // composition the tokens wait: showing them would end it.
  show(tokens, unseen = 0) {
    this.waiting = null;
    if (this.typing.isComposing) {
      this.waiting = { tokens, unseen };
      return;
    }
    this.typing.notice();
    const selection = this.looking ? null : this.selection();
    const tabStop = this.spans[this.focused];
    const old = this.paragraphs,
      paragraphs = paragraphsOf(tokens);
    const [, end] = unchanged(old, paragraphs, isSameParagraph);
    paragraphs.forEach((paragraph, n) => {
      const fromEnd = paragraphs.length - n;
      if (fromEnd <= end) fill(paragraph, old.at(-fromEnd));
      else fill(paragraph, n < old.length - end ? old[n] : null);
    });
    const elements = paragraphs.map(({ element }) => element);
    arrange(this.element, elements);
    this.paragraphs = paragraphs;
    this.tokens = tokens;
    this.unseen = unseen;
    this.spans = [];
    const pieces = paragraphs.flatMap((paragraph) => paragraph.pieces);
    for (const { k, span, text } of pieces) {
      if (k === this.spans.length || (!this.spans[k].textContent.trim() && text.trim())) this.spans[k] = span;
    }
    for (const piece of pieces) this.paint(piece);
    this.element.dataset.empty = tokens.length === 0;
    if (this.focused >= this.spans.length) this.focused = 0;
    if (this.looking && this.spans[this.focused] !== tabStop) {
      tabStop?.setAttribute("tabindex", "-1");
      this.moveTabStop(this.focused);
    }
    if (selection) this.select(selection.anchor, selection.focus);
    this.typing.forget();
  }

  paint(piece) {
    const token = this.tokens[piece.k],
      isUnseen = piece.k < this.unseen;
    if (piece.token === token && piece.isUnseen === isUnseen) return;
    Object.assign(piece, { token, isUnseen });
    const { dataset } = piece.span;
    dataset.odds = token.s === null ? "" : surpriseLevel(token.s);
    dataset.by = token.r < 0 ? "person" : "model";
    setAttribute(piece.span, "data-unseen", isUnseen ? "" : null);
    if (piece.span === this.spans[piece.k]) this.dress(piece.span, piece.k);
  }

  // Makes a word a button for inspection, or plain text for writing.
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
    this.typing.settle();
    this.looking = looking;
    const { element } = this;
    element.setAttribute("role", looking ? "group" : "textbox");
    setAttribute(element, "aria-multiline", looking ? null : "true");
    this.focused = 0;
    this.spans.forEach((span, k) => this.dress(span, k));
    this.setWritable(!looking);
  }

  setWritable(writable) {
    this.typing.settle();
    const { element } = this;
    const value = !writable || this.looking ? "false" : "true"; // "plaintext-only" gives no target ranges
    if (element.getAttribute("contenteditable") !== value) element.setAttribute("contenteditable", value);
    setAttribute(element, "tabindex", this.looking ? null : "0");
    setAttribute(element, "aria-readonly", this.looking ? null : String(!writable));
  }

  // Returns the selection as offsets in the text; null if it is elsewhere.
  selection() {
    const { anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
    const { element } = this;
    if (!focusNode || !element.contains(anchorNode) || !element.contains(focusNode)) return null;
    return { anchor: this.placeOf(anchorNode, anchorOffset), focus: this.placeOf(focusNode, focusOffset) };
  }

  // Returns the offset of the caret; null if it is elsewhere.
  caret() {
    return this.selection()?.focus ?? null;
  }

  // Returns the offset in the text of a point in the element. A point in a foreign node counts to the word around it.
  placeOf(node, offset) {
    const { element } = this,
      end = this.text.length;
    if (node === element) return this.paragraphs[offset]?.start ?? end;
    const paragraph = this.paragraphs.find((other) => other.element.contains(node));
    if (!paragraph) return end;
    let { start: place, element: root } = paragraph,
      most = paragraph.text.length;
    const word = (node.closest ? node : node.parentElement).closest(".word");
    for (const { span, text } of paragraph.pieces) {
      if (span === word) {
        [root, most] = [span, text.length];
        break;
      }
      if (word) place += text.length;
    }
    if (root !== word) place = paragraph.start; // the word is a foreign node
    const range = document.createRange();
    range.setStart(root, 0);
    range.setEnd(node, offset);
    return place + Math.min(most, range.toString().length);
  }

  // Returns the point in the element of an offset in the text.
  pointAt(place) {
    const { element, start } = this.paragraphs.findLast((paragraph) => paragraph.start <= place);
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    let left = place - start;
    for (let node = /** @type {Text} */ (walker.nextNode()); node; node = /** @type {Text} */ (walker.nextNode())) {
      if (left <= node.length) return [node, left];
      left -= node.length;
    }
    return [element, 0];
  }

  select(anchor, focus) {
    const [anchorNode, anchorOffset] = this.pointAt(anchor),
      [focusNode, focusOffset] = this.pointAt(focus);
    const wanted = { anchorNode, anchorOffset, focusNode, focusOffset },
      now = getSelection();
    if (Object.entries(wanted).some(([name, value]) => now[name] !== value))
      now.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  }

  setCaret(place) {
    this.select(place, place);
    this.reveal();
  }

  // Scrolls the caret into view, as a browser does after its own edits.
  reveal() {
    const { focusNode, focusOffset } = getSelection();
    const range = document.createRange();
    range.setStart(focusNode, focusOffset);
    const element = focusNode instanceof Element ? focusNode : focusNode.parentElement;
    const { top, bottom } = range.getClientRects()[0] ?? element.getBoundingClientRect();
    const { offsetTop, height } = visualViewport; // without a phone's keyboard
    const covered = parseFloat(getComputedStyle(document.documentElement).scrollPaddingBottom) || 0;
    const lowest = Math.min(offsetTop + height, innerHeight - covered);
    if (bottom > lowest) scrollBy(0, bottom - lowest);
    else if (top < offsetTop) scrollBy(0, top - offsetTop);
  }

  // Moves the caret, if it is here, after the part that differs from the text `before`.
  caretAfter(before) {
    const { text } = this;
    if (!this.looking && this.selection()) this.setCaret(text.length - unchanged(before, text)[1]);
  }

  // Marks the word at an offset, for reading aloud; null removes the mark.
  mark(offset) {
    this.element.querySelector(".spoken")?.classList.remove("spoken");
    if (offset === null) return;
    const k = tokenAt(this.tokens, offset);
    this.spans[k < 0 ? this.spans.length - 1 : k]?.classList.add("spoken");
  }

  get text() {
    return textOf(this.tokens);
  }

  get end() {
    return this.paragraphs.at(-1).element.lastChild;
  }

  // Scrolls to the end if it was visible before new words came.
  follow(wasVisible) {
    if (wasVisible) this.end.scrollIntoView?.({ block: "nearest" });
  }

  isEndVisible(bottom) {
    const box = this.end.getBoundingClientRect();
    return box.bottom > 0 && box.bottom <= bottom + 40;
  }
}
