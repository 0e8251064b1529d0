// What the story was before each change, for Undo and Redo: documents are never changed, so the old
// ones are simply kept.

import { current, packed, unpacked } from "../story/tree.js";

const UNDOS = 200;
const STEPS = 100,
  TOKENS = 20_000; // that are kept with a story, before and after it

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

// A document and the steps around it as a value for storage. A step is kept by what it differs in from the
// one after it; steps of other stories, and those beyond a bound, are left out.
export function packedWithSteps(doc, { past, future }) {
  return { doc: packed(doc), past: stepsFrom(doc, past), future: stepsFrom(doc, future) };
}

function stepsFrom(doc, docs) {
  const steps = [];
  let next = doc,
    room = TOKENS;
  for (const step of docs.toReversed().slice(0, STEPS)) {
    if (step.story !== doc.story) break;
    const value = packed(step, next);
    room -= value.branches.reduce((sum, branch) => sum + (branch.t?.length ?? 0), 0);
    if (room < 0) break;
    steps.push(value);
    next = step;
  }
  return steps;
}

// What `packedWithSteps` made, as the document of a story: { doc, past, future }; null if it is not one.
export function unpackedWithSteps(value, story) {
  const read = unpacked(value?.doc);
  if (!read) return null;
  const doc = { ...read, story };
  return { doc, past: stepsBefore(doc, value.past), future: stepsBefore(doc, value.future) };
}

function stepsBefore(doc, values) {
  const docs = [];
  let next = doc;
  for (const value of Array.isArray(values) ? values : []) {
    const read = unpacked(value, next);
    if (!read || !current(read)) break;
    next = { ...read, story: doc.story };
    docs.unshift(next);
  }
  return docs;
}
