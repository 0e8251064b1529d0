// A story with all its branches, and nothing of the page.
//
// A token is { t: text, s: surprise in nats or null, i: id or null, r: run }. What a person typed
// has run -1; a run is { settings, seed }, kept once in `runs`. Text that nobody has scored yet is one
// token without id, at the end.
//
// Every branch holds all its tokens; branches share the token objects, so what two have in common is
// found by identity. A document is never changed, each function returns another one: that is all that
// undo needs.

export const FORMAT = 1;

const branchOf = (id, parent, tokens, name = "") => ({ id, parent, tokens, name, ended: false });

export function emptyDocument() {
  return { branches: { 1: branchOf(1, null, []) }, current: 1, next: 2, runs: [] };
}

export const current = (doc) => doc.branches[doc.current];

export const textOf = (tokens) => tokens.map((token) => token.t).join("");

// What a person typed after the last token that is known, or "".
export function pendingText(tokens) {
  const last = tokens.at(-1);
  return last && last.i === null ? last.t : "";
}

// The tokens before what the next one goes on with, and the text of that: what was typed after the last known
// token, else the last word if a person wrote it, for it may be half a word.
export function seam(tokens) {
  let start = knownTokens(tokens).length;
  if (start === tokens.length) {
    const isTyped = (k) => k >= 0 && tokens[k].r < 0;
    while (isTyped(start - 1) && /^[\p{L}\p{N}]+$/u.test(tokens[start - 1].t)) start -= 1;
    if (isTyped(start - 1) && /^ [\p{L}\p{N}]+$/u.test(tokens[start - 1].t)) start -= 1;
  }
  return [tokens.slice(0, start), textOf(tokens.slice(start))];
}

export const knownTokens = (tokens) => (pendingText(tokens) ? tokens.slice(0, -1) : tokens);

function withBranch(doc, branch) {
  return { ...doc, branches: { ...doc.branches, [branch.id]: branch } };
}

// The document with other tokens in its current branch.
export function withTokens(doc, tokens, ended = false) {
  return withBranch(doc, { ...current(doc), tokens, ended });
}

// How many of the tokens begin two branches alike.
export function shared(one, other) {
  const end = Math.min(one.length, other.length);
  let count = 0;
  while (count < end && one[count] === other[count]) count += 1;
  return count;
}

// The document after an edit of the current branch's text. What stands before the edit keeps its
// tokens, down to the beginning of the word that it touches; all after it is typed text.
export function edited(doc, text) {
  const { tokens } = current(doc);
  const before = textOf(tokens);
  if (text === before) return doc;
  let same = 0;
  while (same < text.length && text[same] === before[same]) same += 1;
  let kept = 0, length = 0;
  while (kept < tokens.length && tokens[kept].i !== null && length + tokens[kept].t.length <= same) {
    length += tokens[kept].t.length;
    kept += 1;
  }
  // A word is tokenized as a whole: "runn" + "er" is "runner".
  while (kept > 0 && length < text.length && !/^\s/.test(text.slice(length))) {
    kept -= 1;
    length -= tokens[kept].t.length;
  }
  const rest = text.slice(length);
  const found = tokens.slice(0, kept);
  if (rest) found.push({ t: rest, s: null, i: null, r: -1 });
  return withTokens(doc, found);
}

// The pending text replaced by its tokens, as the model sees them.
export function scored(doc, tokens) {
  return withTokens(doc, [...knownTokens(current(doc).tokens), ...tokens]);
}

// A new branch of the current one, with these tokens; it becomes the current one.
export function branched(doc, tokens, name = "") {
  const branch = branchOf(doc.next, doc.current, tokens, name);
  return { ...withBranch(doc, branch), current: branch.id, next: doc.next + 1 };
}

export const selected = (doc, id) => ({ ...doc, current: id });

export const renamed = (doc, id, name) => withBranch(doc, { ...doc.branches[id], name });

// Without a branch; those that left it belong to the one that it left.
export function pruned(doc, id) {
  const { parent } = doc.branches[id];
  const branches = {};
  for (const branch of Object.values(doc.branches)) {
    if (branch.id === id) continue;
    branches[branch.id] = branch.parent === id ? { ...branch, parent } : branch;
  }
  const left = Object.keys(branches);
  if (!left.length) return { ...emptyDocument(), next: doc.next };
  return { ...doc, branches, current: doc.current === id ? (parent ?? Number(left[0])) : doc.current };
}

export const childrenOf = (doc, id) =>
  Object.values(doc.branches).filter((branch) => branch.parent === id);

// A branch, and those that left the same one.
export function siblingsOf(doc, id) {
  const { parent } = doc.branches[id];
  const all = childrenOf(doc, parent);
  return parent === null ? all : [doc.branches[parent], ...all];
}

// The document with what is now known of a run.
export const changedRun = (doc, run, values) =>
  ({ ...doc, runs: doc.runs.with(run, { ...doc.runs[run], ...values }) });

export function withRun(doc, run) {
  return [{ ...doc, runs: [...doc.runs, run] }, doc.runs.length];
}

// Tokens that stand before the first one that a model wrote: the beginning, which no draw counts.
export function openingLength(tokens) {
  const first = tokens.findIndex((token) => token.r >= 0);
  return first < 0 ? -1 : first;
}

// Tokens that have slid out of the sight of a model with this context: whole quarters of it, as in
// engine/batch.py. One token before the story, its start, is in the context too.
export function outOfSight(count, context) {
  const step = Math.max(1, Math.floor(context / 4));
  return Math.max(0, Math.ceil((count + 1 - context) / step) * step - 1);
}

// The document as a value for storage: a branch says how much it shares with its parent.
export function packed(doc) {
  const branches = Object.values(doc.branches).map((branch) => {
    const parent = doc.branches[branch.parent];
    const common = parent ? shared(parent.tokens, branch.tokens) : 0;
    const own = branch.tokens.slice(common);
    return {
      id: branch.id, parent: branch.parent, name: branch.name, ended: branch.ended, shared: common,
      t: own.map((token) => token.t), s: own.map((token) => token.s),
      i: own.map((token) => token.i), r: own.map((token) => token.r),
    };
  });
  return { format: FORMAT, current: doc.current, next: doc.next, runs: doc.runs, branches };
}

// The document in such a value, or null if it is none.
export function unpacked(value) {
  if (value?.format !== FORMAT || !Array.isArray(value.branches)) return null;
  const branches = {};
  const waiting = [...value.branches];
  for (let count = waiting.length; waiting.length && count >= 0; count -= 1) {
    for (const kept of waiting.splice(0)) {
      const parent = branches[kept.parent];
      if (kept.parent !== null && !parent && value.branches.some((one) => one.id === kept.parent)) {
        waiting.push(kept); // its parent was made after it
        continue;
      }
      const own = kept.t.map((t, k) => ({ t, s: kept.s[k], i: kept.i[k], r: kept.r[k] }));
      const tokens = [...(parent?.tokens.slice(0, kept.shared) ?? []), ...own];
      branches[kept.id] = { ...branchOf(kept.id, kept.parent, tokens, kept.name), ended: kept.ended };
    }
  }
  if (!branches[value.current]) return null;
  // Older pages kept whether one space was typed before a run's first word.
  const runs = value.runs.map(({ space, ...run }) => ({ begins: space ? " " : "", ...run }));
  return { branches, current: value.current, next: value.next, runs };
}

// The document of a story's record (playground/stories/story.py).
export function fromRecord(record) {
  const { seed, ...settings } = record.settings;
  const tokens = record.tokens.map((token) => ({
    t: token.text,
    s: -Math.log(Math.max(token.probability, 1e-12)),
    i: token.token_id,
    r: token.draw === null ? -1 : 0,
  }));
  const doc = { ...emptyDocument(), runs: [{ settings, seed }] };
  return withTokens(doc, tokens, record.ended);
}
