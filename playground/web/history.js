// What the story was before each change, for Undo and Redo: documents are never changed, so the old
// ones are simply kept.

const UNDOS = 200;

export class UndoHistory {
  constructor() {
    this.past = [];
    this.future = [];
  }

  // Another document is about to take the place of this one.
  remember(doc) {
    this.past.push(doc);
    if (this.past.length > UNDOS) this.past.shift();
    this.future = [];
  }

  // The document before `doc`, or null.
  back(doc) {
    if (!this.past.length) return null;
    this.future.push(doc);
    return this.past.pop();
  }

  // The one that Undo took back, or null.
  forward(doc) {
    if (!this.future.length) return null;
    this.past.push(doc);
    return this.future.pop();
  }
}
