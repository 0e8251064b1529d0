// A story with its undo and redo steps, for storage. Documents are immutable, so the steps are older documents.

import { current, packed, unpacked } from "./tree.js";

const STEPS = 100,
  TOKENS = 20_000; // stored in each direction

// Returns a document with its steps as a value for storage. A step is stored as its difference from the next one; steps
// of other stories, and those beyond the limits, are left out.
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

// Returns a value of `packedWithSteps` as the document of a story: { doc, past, future }; null if it is invalid.
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
