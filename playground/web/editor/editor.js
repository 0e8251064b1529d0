// The paper: a story's words, a span each, in an element that a person can write into. Every paragraph is
// a block, so that the browser lays out only the one that changes.
//
// What is there follows from the tokens alone. What else changes the element (a composition, which no
// page can take over; an extension that translates) is read or undone: see typing.js.
//
// Text goes in as text nodes only, so a story that holds markup shows its letters. While words can be
// looked at (`looking`), they are buttons with one place in the tab order, which the arrow keys move.
// A token without letters (a space, a line break, the first half of a character that the next token
// completes) has a mark then, which is not part of the text, or its odds could not be pointed at.

import { label } from "../sampling/bars.js";
import { surpriseLevel } from "../sampling/odds.js";
import { paragraphsOf } from "./paragraphs.js";
import { textOf, unchanged } from "../story/tree.js";
import { Typing } from "./typing.js";

// A word's span: the space before it is not tinted, or it would hang at the end of a line.
function newWord(text) {
  const span = document.createElement("span");
  span.className = "word";
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

function newParagraph() {
  const element = document.createElement("div");
  element.className = "paragraph";
  element.dir = "auto"; // of its own letters
  return element;
}

const isSameText = (one, other) => one.text === other.text;
const isSameParagraph = (one, other) =>
  !one.touched &&
  one.pieces.length === other.pieces.length &&
  one.pieces.every((piece, n) => piece.text === other.pieces[n].text);

// Fills a paragraph's element, that of the paragraph `old` if there is one, and keeps the spans that it shares with it.
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
  else if (element.lastChild?.tagName !== "BR") element.append(document.createElement("br"));
}

export class Editor {
  // `events`: { edit(text), undo(), redo(), word(k, opened), pass(k), leave(), editAt(k) }.
  constructor(element, events) {
    this.element = element;
    this.events = events;
    this.tokens = [];
    this.paragraphs = []; // as paragraphsOf(), with an element each, and a span and a token each piece
    this.spans = []; // of each token, the first, or the first with letters
    this.focused = 0; // of the word that Tab reaches
    this.looking = false;
    element.translate = false; // an edit of a translated story would be an edit of another text
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

  // The word below (1) or above (-1) the present one.
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

  // Where a word's letters begin; the space before them may stand at the end of the line above.
  boxOf(k) {
    const span = this.spans[k];
    return span?.querySelector(".tint").getClientRects()[0] ?? span?.getClientRects()[0];
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
    const pieces = this.paragraphs.find(({ element }) => element === span?.parentNode)?.pieces ?? [];
    return pieces.find((piece) => piece.span === span)?.k ?? -1;
  }

  // Shows tokens; those before `unseen` are outside the context window. What is there already stays. While
  // a character is composed, nothing is shown: it would be wiped.
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
    this.place(paragraphs);
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

  // Puts paragraphs into the element, and takes out all else; what stands in its place is not moved.
  place(paragraphs) {
    const { element } = this,
      wanted = new Set(paragraphs.map((paragraph) => paragraph.element));
    for (const node of [...element.childNodes]) if (!wanted.has(node)) node.remove();
    let at = element.firstChild;
    for (const { element: block } of paragraphs) {
      if (block === at) at = at.nextSibling;
      else element.insertBefore(block, at);
    }
  }

  paint(piece) {
    const token = this.tokens[piece.k],
      isUnseen = piece.k < this.unseen;
    if (piece.token === token && piece.isUnseen === isUnseen) return;
    Object.assign(piece, { token, isUnseen });
    const { dataset } = piece.span;
    dataset.odds = token.s === null ? "" : surpriseLevel(token.s);
    dataset.by = token.r < 0 ? "person" : "model";
    if (isUnseen) dataset.unseen = "";
    else delete dataset.unseen;
    if (piece.span === this.spans[piece.k]) this.dress(piece.span, piece.k);
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
    this.typing.settle();
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
    this.typing.settle();
    const { element } = this;
    const value = !writable || this.looking ? "false" : "true"; // "plaintext-only" tells no target ranges
    if (element.getAttribute("contenteditable") !== value) element.setAttribute("contenteditable", value);
    if (this.looking) {
      element.removeAttribute("tabindex");
      element.removeAttribute("aria-readonly");
    } else {
      element.tabIndex = 0;
      element.setAttribute("aria-readonly", String(!writable));
    }
  }

  // What is selected, as places in the text, or null while that is elsewhere.
  selection() {
    const { anchorNode, anchorOffset, focusNode, focusOffset } = getSelection();
    const { element } = this;
    if (!focusNode || !element.contains(anchorNode) || !element.contains(focusNode)) return null;
    return { anchor: this.placeOf(anchorNode, anchorOffset), focus: this.placeOf(focusNode, focusOffset) };
  }

  // Letters before the caret, or null while it is elsewhere.
  caret() {
    return this.selection()?.focus ?? null;
  }

  // The place in the text of a point in the element. Whatever somebody else put there, it is in the same word.
  placeOf(node, offset) {
    const { element } = this,
      end = this.text.length;
    if (node === element) return this.paragraphs[offset]?.start ?? end;
    const paragraph = this.paragraphs.find((one) => one.element.contains(node));
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
    if (root !== word) place = paragraph.start; // the word is not one of ours
    const range = document.createRange();
    range.setStart(root, 0);
    range.setEnd(node, offset);
    return place + Math.min(most, range.toString().length);
  }

  // The point in the element of a place in the text.
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
    const now = getSelection();
    if (
      now.anchorNode === anchorNode &&
      now.anchorOffset === anchorOffset &&
      now.focusNode === focusNode &&
      now.focusOffset === focusOffset
    )
      return;
    now.setBaseAndExtent(anchorNode, anchorOffset, focusNode, focusOffset);
  }

  setCaret(place) {
    this.select(place, place);
    this.reveal();
  }

  // Scrolls the caret into view, as a browser does for the edits that it makes by itself.
  reveal() {
    const { focusNode, focusOffset } = getSelection();
    const range = document.createRange();
    range.setStart(focusNode, focusOffset);
    const element = focusNode instanceof Element ? focusNode : focusNode.parentElement;
    const { top, bottom } = range.getClientRects()[0] ?? element.getBoundingClientRect();
    const { offsetTop, height } = visualViewport; // a phone's keyboard takes a part
    const covered = parseFloat(getComputedStyle(document.documentElement).scrollPaddingBottom) || 0;
    const lowest = Math.min(offsetTop + height, innerHeight - covered);
    if (bottom > lowest) scrollBy(0, bottom - lowest);
    else if (top < offsetTop) scrollBy(0, top - offsetTop);
  }

  // Puts the caret, if it is here, behind what is not as it was in a text before.
  caretAfter(before) {
    const { text } = this;
    if (!this.looking && this.selection()) this.setCaret(text.length - unchanged(before, text)[1]);
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

  get end() {
    return this.paragraphs.at(-1).element.lastChild;
  }

  // Keeps the end in view while words come, if it was in view.
  follow(wasInSight) {
    if (wasInSight) this.end.scrollIntoView?.({ block: "nearest" });
  }

  endInSight(bottom) {
    const box = this.end.getBoundingClientRect();
    return box.bottom > 0 && box.bottom <= bottom + 40;
  }
}
