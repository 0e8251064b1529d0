// Turns typing, pasting, dropping, dictating and deleting in the editor into edits of the story's text.
//
// The page prevents the browser's own edit (`beforeinput`) and edits the text itself. Two kinds of edits cannot be
// prevented, and are read from the changed paragraphs: compositions (Japanese, phone keyboards), which must not be
// interrupted, and a script's execCommand. Changes without input come from others, such as a translator: they are never
// read, and the next edit undoes them.

import { characterAfter, characterBefore, wholeCharacters } from "./graphemes.js";
import { textOfBlocks } from "./paragraphs.js";
import { textOf, unchanged } from "../story/tree.js";

const WATCHED = { childList: true, characterData: true, subtree: true };

// Returns the text of an event, with line breaks normalized; null without text.
function textIn({ inputType, data, dataTransfer }) {
  if (inputType === "insertParagraph" || inputType === "insertLineBreak") return "\n";
  if (!inputType.startsWith("insert")) return null;
  const text = data ?? dataTransfer?.getData("text/plain");
  return text?.replace(/\r\n?|[\v\f\u0085\u2028\u2029]/g, "\n") ?? null;
}

export class Typing {
  constructor(editor) {
    this.editor = editor;
    this.isComposing = false;
    this.isNative = false; // whether the browser made an edit that must be read
    this.isForeign = false; // whether another script changed the element
    this.observer = new MutationObserver((records) => this.observed(records));
    this.observer.observe(editor.element, WATCHED);
    this.listen();
  }

  listen() {
    const { element } = this.editor;
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

  // Handles `beforeinput`.
  before(event) {
    const { editor } = this,
      { inputType } = event;
    if (!event.cancelable || this.isComposing) return;
    event.preventDefault();
    if (inputType === "historyUndo") editor.events.undo();
    else if (inputType === "historyRedo") editor.events.redo();
    else if (inputType === "deleteByDrag") this.dragged = this.rangeOf(event);
    else if (inputType === "insertFromDrop") this.drop(event);
    else if (inputType.startsWith("delete")) this.change(...this.deletedBy(event), "");
    else {
      const text = textIn(event);
      if (text !== null) this.change(...this.rangeOf(event), text);
    }
  }

  // Returns the range of the text that an event changes.
  rangeOf(event) {
    const { editor } = this;
    const [range] = event.getTargetRanges();
    if (range) {
      const from = editor.placeOf(range.startContainer, range.startOffset),
        to = editor.placeOf(range.endContainer, range.endOffset);
      return wholeCharacters(editor.text, from, to);
    }
    const { anchor, focus } = editor.selection() ?? { anchor: editor.text.length, focus: editor.text.length };
    return wholeCharacters(editor.text, Math.min(anchor, focus), Math.max(anchor, focus));
  }

  deletedBy(event) {
    const { editor } = this,
      { anchor, focus } = editor.selection() ?? {};
    const isCaret = anchor !== undefined && anchor === focus;
    if (isCaret && event.inputType === "deleteContentBackward") return characterBefore(editor.text, focus);
    if (isCaret && event.inputType === "deleteContentForward") return characterAfter(editor.text, focus);
    return this.rangeOf(event);
  }

  // Inserts dropped text, which may come from the story itself.
  drop(event) {
    const text = textIn(event),
      [from, to] = this.rangeOf(event),
      [start, end] = this.dragged ?? [from, from];
    this.dragged = null;
    if (text === null || (start < from && from < end)) return;
    const moved = this.editor.text.slice(start, end);
    if (!moved) this.change(from, to, text);
    else if (from <= start) this.change(from, end, text + this.editor.text.slice(from, start), from + text.length);
    else this.change(start, from, this.editor.text.slice(end, from) + text);
  }

  // Replaces a range of the story's text `before`.
  change(from, to, text, caret = from + text.length, before = this.editor.text) {
    const { editor } = this;
    const after = before.slice(0, from) + text + before.slice(to);
    editor.events.edit(after);
    if (editor.paragraphs.some(({ touched }) => touched)) this.repair();
    if (editor.text === after) editor.setCaret(caret);
  }

  // After a triple click, selects the paragraph without its line break: otherwise the next key would join two
  // paragraphs.
  selectParagraph() {
    const { editor } = this,
      { anchor, focus } = editor.selection() ?? {};
    if (focus > anchor && editor.text[focus - 1] === "\n") editor.select(anchor, focus - 1);
  }

  // Copies, cuts or drags the story's own text, without the editor's markup.
  copy(event, transfer) {
    const { editor } = this,
      { anchor, focus } = editor.selection() ?? {};
    if (anchor === focus) return;
    const [from, to] = [Math.min(anchor, focus), Math.max(anchor, focus)];
    transfer.setData("text/plain", editor.text.slice(from, to));
    if (event.type !== "dragstart") event.preventDefault();
    if (event.type === "cut" && editor.element.isContentEditable)
      this.change(...wholeCharacters(editor.text, from, to), "");
  }

  // Changes of the element by others

  // Handles `input`: the browser made an edit that `before` could not prevent; `observed` reads it when it is complete.
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
    const { element, paragraphs } = this.editor;
    for (const { target } of records) {
      if (!this.isComposing) this.isForeign = true;
      const paragraph = paragraphs.find((other) => target !== element && other.element.contains(target));
      if (paragraph) paragraph.touched = true;
    }
  }

  // Forgets changes that the editor itself made.
  forget() {
    this.observer.takeRecords();
    this.isForeign = false;
  }

  // Shows the tokens again.
  repair() {
    const { tokens, unseen } = this.editor.waiting ?? this.editor;
    this.editor.show(tokens, unseen);
  }

  // Ends a composition.
  settle() {
    if (!this.isComposing) return;
    this.notice();
    this.isComposing = false;
    this.read();
    if (this.editor.waiting) this.repair();
  }

  // Reads an edit of the browser from the text of the changed paragraphs.
  read() {
    const { editor } = this,
      { element, paragraphs, text: shown } = editor;
    const nodes = [...element.childNodes];
    const isSame = (paragraph, node) => !paragraph.touched && paragraph.element === node;
    const [start, end] = unchanged(paragraphs, nodes, isSame);
    const changed = nodes.slice(start, nodes.length - end);
    const from = paragraphs[start]?.start ?? shown.length,
      to = end ? paragraphs.at(-end).start : shown.length;
    const text = textOfBlocks(changed) + (changed.length && end ? "\n" : "");
    const length = changed.length ? lengthBeforeCaret(changed) : 0;
    // Tokens that came meanwhile are kept if they come after the edit.
    const later = editor.waiting ? textOf(editor.waiting.tokens) : shown;
    this.change(from, to, text, from + length, later.startsWith(shown.slice(0, to)) ? later : shown);
  }
}

// Returns the number of characters from the first node to the caret.
function lengthBeforeCaret(nodes) {
  const { focusNode, focusOffset } = getSelection();
  const range = document.createRange();
  range.setStartBefore(nodes[0]);
  range.setEnd(focusNode ?? nodes.at(-1), focusNode ? focusOffset : 0);
  return textOfBlocks(range.cloneContents().childNodes).length;
}
