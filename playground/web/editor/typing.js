// What a person types, pastes, drops, dictates or deletes in the sheet, as edits of the story's text.
//
// The page makes each edit itself, from the text and not from what the browser would make of the element
// (`beforeinput`). Two kinds it cannot take over, and reads from the paragraphs that changed: a
// composition, as Japanese or a phone's keyboard is typed, which nothing may interrupt; and a script's
// execCommand. What changed without any input was changed by somebody else, as a translator: it is never
// read, and undone by the next edit.

import { characterAfter, characterBefore, wholeCharacters } from "./graphemes.js";
import { textOfBlocks } from "./paragraphs.js";
import { textOf, unchanged } from "../story/tree.js";

const WATCHED = { childList: true, characterData: true, subtree: true };

// The text that an event brings; null for none. Other programs end a line in other ways.
function textIn({ inputType, data, dataTransfer }) {
  if (inputType === "insertParagraph" || inputType === "insertLineBreak") return "\n";
  if (!inputType.startsWith("insert")) return null;
  const text = data ?? dataTransfer?.getData("text/plain");
  return text?.replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n") ?? null;
}

export class Typing {
  constructor(sheet) {
    this.sheet = sheet;
    this.isComposing = false;
    this.isNative = false; // whether the browser made an edit that is to be read
    this.isForeign = false; // whether somebody else changed the element
    this.observer = new MutationObserver((records) => this.observed(records));
    this.observer.observe(sheet.element, WATCHED);
    this.listen();
  }

  listen() {
    const {
      sheet: { element },
    } = this;
    element.addEventListener("beforeinput", (event) => this.before(event));
    element.addEventListener("input", () => this.after());
    element.addEventListener("compositionstart", () => {
      if (this.isForeign) this.repair();
      this.isComposing = true;
    });
    element.addEventListener("compositionend", () => this.settle());
    element.addEventListener("click", (event) => event.detail === 3 && this.selectParagraph());
    element.addEventListener("copy", (event) => this.copy(event, event.clipboardData));
    element.addEventListener("cut", (event) => this.copy(event, event.clipboardData));
    element.addEventListener("dragstart", (event) => this.copy(event, event.dataTransfer));
    element.addEventListener("dragend", () => (this.dragged = null));
  }

  // The browser is about to make an edit.
  before(event) {
    const { sheet } = this,
      { inputType } = event;
    if (!event.cancelable || this.isComposing) return;
    event.preventDefault();
    if (inputType === "historyUndo") sheet.events.undo();
    else if (inputType === "historyRedo") sheet.events.redo();
    else if (inputType === "deleteByDrag") this.dragged = this.rangeOf(event);
    else if (inputType === "insertFromDrop") this.drop(event);
    else if (inputType.startsWith("delete")) this.change(...this.deletedBy(event), "");
    else {
      const text = textIn(event);
      if (text !== null) this.change(...this.rangeOf(event), text);
    }
  }

  // The range of the text that an event is about.
  rangeOf(event) {
    const { sheet } = this;
    const range = event.getTargetRanges()[0];
    if (range) {
      return wholeCharacters(
        sheet.text,
        sheet.placeOf(range.startContainer, range.startOffset),
        sheet.placeOf(range.endContainer, range.endOffset),
      );
    }
    const { anchor, focus } = sheet.selection() ?? { anchor: sheet.text.length, focus: sheet.text.length };
    return wholeCharacters(sheet.text, Math.min(anchor, focus), Math.max(anchor, focus));
  }

  deletedBy(event) {
    const { sheet } = this,
      { anchor, focus } = sheet.selection() ?? {};
    const isCaret = anchor !== undefined && anchor === focus;
    if (isCaret && event.inputType === "deleteContentBackward") return characterBefore(sheet.text, focus);
    if (isCaret && event.inputType === "deleteContentForward") return characterAfter(sheet.text, focus);
    return this.rangeOf(event);
  }

  // Text that was dragged here, maybe from the story itself.
  drop(event) {
    const text = textIn(event),
      [from, to] = this.rangeOf(event),
      [start, end] = this.dragged ?? [from, from];
    this.dragged = null;
    if (text === null || (start < from && from < end)) return;
    const moved = this.sheet.text.slice(start, end);
    if (!moved) this.change(from, to, text);
    else if (from <= start) this.change(from, end, text + this.sheet.text.slice(from, start), from + text.length);
    else this.change(start, from, this.sheet.text.slice(end, from) + text);
  }

  // Puts text in the place of a range of the story's text `before`.
  change(from, to, text, caret = from + text.length, before = this.sheet.text) {
    const { sheet } = this;
    const wanted = before.slice(0, from) + text + before.slice(to);
    sheet.events.edit(wanted);
    if (sheet.paragraphs.some(({ touched }) => touched)) this.repair();
    if (sheet.text === wanted) sheet.setCaret(caret);
  }

  // Three clicks select a paragraph, and not the line break behind it, or the next key would join it with the next one.
  selectParagraph() {
    const { sheet } = this,
      { anchor, focus } = sheet.selection() ?? {};
    if (focus > anchor && sheet.text[focus - 1] === "\n") sheet.select(anchor, focus - 1);
  }

  // The text goes out as it is in the story.
  copy(event, transfer) {
    const { sheet } = this,
      { anchor, focus } = sheet.selection() ?? {};
    if (anchor === focus) return;
    const [from, to] = [Math.min(anchor, focus), Math.max(anchor, focus)];
    transfer.setData("text/plain", sheet.text.slice(from, to));
    if (event.type !== "dragstart") event.preventDefault();
    if (event.type === "cut" && sheet.element.isContentEditable)
      this.change(...wholeCharacters(sheet.text, from, to), "");
  }

  // What changed in the element, and not by the sheet

  // The browser made an edit that `before` could not prevent; `observed` reads it when it is complete.
  after() {
    if (this.isComposing) return;
    this.isNative = true;
    queueMicrotask(() => (this.isNative = false));
  }

  observed(records) {
    const { isForeign } = this;
    this.notice(records);
    if (this.isComposing || !this.isNative) return;
    if (isForeign) this.repair();
    else this.read();
  }

  // Marks the paragraphs that changed.
  notice(records = this.observer.takeRecords()) {
    const { element, paragraphs } = this.sheet;
    for (const { target } of records) {
      if (!this.isComposing) this.isForeign = true;
      const paragraph = paragraphs.find((one) => target !== element && one.element.contains(target));
      if (paragraph) paragraph.touched = true;
    }
  }

  // The element is as the sheet has shown it.
  forget() {
    this.observer.takeRecords();
    this.isForeign = false;
  }

  // Shows what should be there.
  repair() {
    const { tokens, unseen } = this.sheet.waiting ?? this.sheet;
    this.sheet.show(tokens, unseen);
  }

  // The composition is over.
  settle() {
    if (!this.isComposing) return;
    this.notice();
    this.isComposing = false;
    this.read();
    if (this.sheet.waiting) this.repair();
  }

  // Takes over the edit that the browser made: the text of the paragraphs that are not as they were.
  read() {
    const { sheet } = this,
      { element, paragraphs, text: shown } = sheet;
    const nodes = [...element.childNodes];
    const [start, end] = unchanged(
      paragraphs,
      nodes,
      (paragraph, node) => !paragraph.touched && paragraph.element === node,
    );
    const changed = nodes.slice(start, nodes.length - end);
    const from = paragraphs[start]?.start ?? shown.length,
      to = end ? paragraphs.at(-end).start : shown.length;
    const text = textOfBlocks(changed) + (changed.length && end ? "\n" : "");
    const length = changed.length ? lengthBeforeCaret(changed) : 0;
    // What came meanwhile is kept, if it came behind the edit.
    const later = sheet.waiting ? textOf(sheet.waiting.tokens) : shown;
    this.change(from, to, text, from + length, later.startsWith(shown.slice(0, to)) ? later : shown);
  }
}

// Letters from the first of some nodes to the caret.
function lengthBeforeCaret(nodes) {
  const { focusNode, focusOffset } = getSelection();
  const range = document.createRange();
  range.setStartBefore(nodes[0]);
  range.setEnd(focusNode ?? nodes.at(-1), focusNode ? focusOffset : 0);
  return textOfBlocks(range.cloneContents().childNodes).length;
}
