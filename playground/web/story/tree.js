// A story with all its branches, and nothing of the page.
//
// types.d.ts says what a document, a branch, a token and a run hold. Text that nobody has scored yet, the
// pending text, is tokens without id at the end, in any pieces.
//
// Every branch holds all its tokens; branches share the token objects, so what two have in common is
// found by identity. A document is never changed, each function returns another one: that is all that
// undo needs.

export const FORMAT = 1;

/** @returns {Branch} */
const branchOf = (id, parent, tokens, name = "") => ({ id, parent, tokens, name, ended: false });

/**
 * @param {Signature | null} model
 * @param {string | null} story
 * @returns {StoryDocument}
 */
export function emptyDocument(model = null, story = null) {
  return { branches: { 1: branchOf(1, null, []) }, current: 1, next: 2, runs: [], model, story };
}

const FINGERPRINT = 16; // hexadecimal digits that are kept of a fingerprint

/**
 * Which model it is: of its own fingerprint and its tokenizer's (folder/model_info.py).
 * @param {ModelInfo | Signature} model
 * @returns {Signature}
 */
export const signature = ({ name, fingerprint, tokenizer }) => ({
  name,
  fingerprint: fingerprint?.slice(0, FINGERPRINT) ?? null,
  tokenizer: tokenizer ?? null,
});

/**
 * Whether a document's ids and their surprise are of this model. Links of older versions name no tokenizer.
 * @param {StoryDocument} doc
 * @param {ModelInfo} other
 */
export function isOf({ model }, other) {
  const { fingerprint, tokenizer } = signature(other);
  if (!model?.fingerprint || model.fingerprint !== fingerprint) return false;
  return !model.tokenizer || !tokenizer || model.tokenizer === tokenizer;
}

/** @param {StoryDocument} doc */
export const hasText = (doc) => Object.values(doc.branches).some(({ tokens }) => tokens.length > 0);

/** @param {StoryDocument} doc */
export const current = (doc) => doc.branches[doc.current];

/** @param {Token[]} tokens */
export const textOf = (tokens) => tokens.map((token) => token.t).join("");

/** @param {Token[]} tokens */
export function knownTokens(tokens) {
  const first = tokens.findIndex((token) => token.i === null);
  return first < 0 ? tokens : tokens.slice(0, first);
}

/** @param {Token[]} tokens */
export const idsOf = (tokens) => knownTokens(tokens).map((token) => token.i);

export const pendingTokens = (tokens) => tokens.slice(knownTokens(tokens).length);

// What stands after the last token that is known, or "".
export const pendingText = (tokens) => textOf(pendingTokens(tokens));

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

/**
 * @param {StoryDocument} doc
 * @param {Branch} branch
 * @returns {StoryDocument}
 */
function withBranch(doc, branch) {
  return { ...doc, branches: { ...doc.branches, [branch.id]: branch } };
}

/**
 * The document with other tokens in its current branch.
 * @param {StoryDocument} doc
 * @param {Token[]} tokens
 */
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

// How many items (of texts: characters) two lists begin with alike, and end with alike after that.
export function unchanged(before, after, isSame = (one, other) => one === other) {
  const most = Math.min(before.length, after.length);
  let start = 0,
    end = 0;
  while (start < most && isSame(before[start], after[start])) start += 1;
  while (end < most - start && isSame(before.at(-1 - end), after.at(-1 - end))) end += 1;
  return [start, end];
}

// How many tokens an edit keeps that leaves the first `start` characters of `text` as they were, and
// the length of their text.
function keptTokens(tokens, text, start) {
  let kept = 0,
    length = 0;
  while (kept < tokens.length && tokens[kept].i !== null && length + tokens[kept].t.length <= start) {
    length += tokens[kept].t.length;
    kept += 1;
  }
  const isWhole = kept === tokens.length; // nothing but what comes after them is new
  const back = () => {
    kept -= 1;
    length -= tokens[kept].t.length;
  };
  // A word is tokenized as a whole: "runn" + "er" is "runner".
  while (kept > 0 && length < text.length && !/^\s/.test(text.slice(length, length + 1))) back();
  // A token may hold the first bytes of the character that the next one completes.
  if (!isWhole && kept > 0 && /^[^\0-\x7f]/.test(tokens[kept]?.t ?? "")) back();
  while (kept > 0 && tokens[kept - 1].t === "") back();
  return [kept, length];
}

/** @returns {Token} */
const pending = (t, was = null) => ({ t, s: null, i: null, r: -1, ...(was && { was }) });

// The document after an edit of the current branch's text. What stands before the edit keeps its
// tokens, down to the beginning of the word that it touches; all after it is pending text. That keeps
// its pieces, so that the page need not show it anew.
/** @param {StoryDocument} doc */
export function edited(doc, text) {
  const { tokens } = current(doc);
  const before = textOf(tokens);
  if (text === before) return doc;
  const [start, end] = unchanged(before, text);
  const [kept, length] = keptTokens(tokens, text, start);
  const found = tokens.slice(0, kept);
  let at = length,
    next = kept;
  while (next < tokens.length && at + tokens[next].t.length <= start) {
    const token = tokens[next];
    at += token.t.length;
    next += 1;
    if (token.t) found.push(token.i === null ? token : pending(token.t, token)); // it may come back as it was
  }
  let after = tokens.length,
    rest = text.length;
  while (after > next && text.length - rest + tokens[after - 1].t.length <= end) rest -= tokens[--after].t.length;
  if (rest > at) {
    const last = at === start ? found.at(-1) : null; // what is typed letter by letter is one piece
    const typed = last?.i === null && !last.was ? found.pop().t : "";
    found.push(pending(typed + text.slice(at, rest)));
  }
  for (const token of tokens.slice(after)) {
    if (token.t) found.push(token.i === null && !token.was ? token : pending(token.t));
  }
  return withTokens(doc, found);
}

// The first words of a text, of about `length` characters: a tokenizer parts words in any case.
export function firstWords(text, length) {
  const end = text.slice(length).search(/\s/);
  if (end < 0 || !text.slice(length + end).trim()) return text;
  return text.slice(0, length + end).trimEnd() || text;
}

// The first `length` characters of the pending text replaced by their tokens, as the model sees them. A
// token that an edit touched and that the model sees as before is still whose it was.
/**
 * @param {StoryDocument} doc
 * @param {Token[]} tokens
 */
export function scored(doc, tokens, length = Infinity, id = doc.current) {
  const { tokens: all } = doc.branches[id],
    known = knownTokens(all);
  const waiting = pendingTokens(all);
  let same = 0;
  while (same < tokens.length && waiting[same]?.was?.i === tokens[same].i && waiting[same].t === tokens[same].t)
    same += 1;
  const rest = [];
  let left = length;
  for (const token of waiting) {
    if (token.t.length > left) rest.push(left > 0 ? pending(token.t.slice(left)) : token);
    left -= token.t.length;
  }
  const found = tokens.map((token, k) => (k < same ? waiting[k].was : token));
  const branch = { ...doc.branches[id], tokens: [...known, ...found, ...rest] };
  return withAlike(withBranch(doc, branch), known, id);
}

// What branches share stays shared: those of which no more is known than the first tokens of branch `id`, as all are
// in a document of another model, take the tokens that they begin with alike.
function withAlike(doc, known, id) {
  const branches = { ...doc.branches };
  for (const other of Object.values(doc.branches)) {
    const own = knownTokens(other.tokens).length;
    if (other.id === id || own === other.tokens.length || shared(known, other.tokens) < own) continue;
    const { tokens } = current(edited({ ...doc, current: id }, textOf(other.tokens)));
    if (shared(tokens, doc.branches[id].tokens) > own) branches[other.id] = { ...other, tokens };
  }
  return { ...doc, branches };
}

/**
 * The document for another model: all its text, and no token of it is known.
 * @param {StoryDocument} doc
 * @param {Signature} model
 * @returns {StoryDocument}
 */
export function rebased(doc, model) {
  const branches = {};
  for (const branch of Object.values(doc.branches)) {
    const t = textOf(branch.tokens);
    branches[branch.id] = { ...branch, ended: false, tokens: t ? [{ t, s: null, i: null, r: -1 }] : [] };
  }
  return { ...doc, branches, runs: [], model };
}

/**
 * A new branch of the current one, with these tokens; it becomes the current one.
 * @param {StoryDocument} doc
 * @param {Token[]} tokens
 * @returns {StoryDocument}
 */
export function branched(doc, tokens, name = "") {
  const branch = branchOf(doc.next, doc.current, tokens, name);
  return { ...withBranch(doc, branch), current: branch.id, next: doc.next + 1 };
}

/** @returns {StoryDocument} */
export const selected = (doc, id) => ({ ...doc, current: id });

export const renamed = (doc, id, name) => withBranch(doc, { ...doc.branches[id], name });

/**
 * Without a branch; those that left it belong to the one that it left.
 * @param {StoryDocument} doc
 * @returns {StoryDocument}
 */
export function pruned(doc, id) {
  const { parent } = doc.branches[id];
  const branches = {};
  for (const branch of Object.values(doc.branches)) {
    if (branch.id === id) continue;
    branches[branch.id] = branch.parent === id ? { ...branch, parent } : branch;
  }
  const left = Object.keys(branches);
  if (!left.length) return { ...emptyDocument(doc.model, doc.story), next: doc.next };
  return { ...doc, branches, current: doc.current === id ? (parent ?? Number(left[0])) : doc.current };
}

/** @param {StoryDocument} doc */
export const childrenOf = (doc, id) => Object.values(doc.branches).filter((branch) => branch.parent === id);

// A branch, and those that left the same one.
export function siblingsOf(doc, id) {
  const { parent } = doc.branches[id];
  const all = childrenOf(doc, parent);
  return parent === null ? all : [doc.branches[parent], ...all];
}

/**
 * The document with what is now known of a run.
 * @param {StoryDocument} doc
 * @param {number} run
 * @param {Partial<Run>} values
 * @returns {StoryDocument}
 */
export const changedRun = (doc, run, values) => ({ ...doc, runs: doc.runs.with(run, { ...doc.runs[run], ...values }) });

/**
 * @param {StoryDocument} doc
 * @param {Run} run
 * @returns {[StoryDocument, number]} and the run's index.
 */
export function withRun(doc, run) {
  return [{ ...doc, runs: [...doc.runs, run] }, doc.runs.length];
}

/**
 * Tokens that stand before the first one that a model wrote: the beginning, which no draw counts.
 * @param {Token[]} tokens
 */
export function openingLength(tokens) {
  const first = tokens.findIndex((token) => token.r >= 0);
  return first < 0 ? -1 : first;
}

// Tokens that have left the context window of a model: whole quarters of it, as in
// engine/batch.py. One token before the story, its start, is in the context too.
export function outOfSight(count, context) {
  const step = Math.max(1, Math.floor(context / 4));
  return Math.max(0, Math.ceil((count + 1 - context) / step) * step - 1);
}

// The document as a value for storage: a branch says how much it shares with its parent, or with itself in
// another document, `before`.
export function packed(doc, before = null) {
  const branches = Object.values(doc.branches).map((branch) => {
    const same = before?.branches[branch.id];
    if (same === branch) return { id: branch.id, same: true };
    const from = same ?? doc.branches[branch.parent];
    const common = from ? shared(from.tokens, branch.tokens) : 0;
    const own = branch.tokens.slice(common);
    return {
      id: branch.id,
      parent: branch.parent,
      name: branch.name,
      ended: branch.ended,
      shared: common,
      before: Boolean(same),
      t: own.map((token) => token.t),
      s: own.map((token) => token.s),
      i: own.map((token) => token.i),
      r: own.map((token) => token.r),
    };
  });
  const runs = before ? shared(before.runs, doc.runs) : 0;
  return {
    format: FORMAT,
    current: doc.current,
    next: doc.next,
    model: doc.model,
    sharedRuns: runs,
    runs: doc.runs.slice(runs),
    branches,
  };
}

/**
 * The document in such a value, or null if it is not one.
 * @returns {StoryDocument | null}
 */
export function unpacked(value, before = null) {
  if (value?.format !== FORMAT || !Array.isArray(value.branches) || !Array.isArray(value.runs)) return null;
  const branches = {};
  const waiting = [...value.branches];
  if (!waiting.every((kept) => isBranch(kept, before))) return null;
  for (let count = waiting.length; waiting.length && count >= 0; count -= 1) {
    for (const kept of waiting.splice(0)) {
      const parent = branches[kept.parent],
        old = before?.branches[kept.id];
      if (kept.same) {
        branches[kept.id] = old;
        continue;
      }
      if (kept.parent !== null && !parent && value.branches.some((one) => one.id === kept.parent)) {
        waiting.push(kept); // its parent was made after it
        continue;
      }
      const from = kept.before ? old : parent;
      const own = kept.t.map((t, k) => ({ t, s: kept.s[k], i: kept.i[k], r: kept.r[k] }));
      const tokens = [...(from?.tokens.slice(0, kept.shared) ?? []), ...own];
      branches[kept.id] = { ...branchOf(kept.id, kept.parent, tokens, kept.name), ended: kept.ended };
    }
  }
  if (!branches[value.current]) return null;
  // Older pages kept whether one space was typed before a run's first word.
  const own = value.runs.map(({ space, ...run }) => ({ begins: space ? " " : "", ...run }));
  const runs = [...(before?.runs.slice(0, value.sharedRuns) ?? []), ...own];
  return { branches, current: value.current, next: value.next, runs, model: value.model ?? null, story: null };
}

// Whether a kept branch can be read; it may be anything that a file held.
function isBranch(kept, before) {
  if (!Number.isInteger(kept?.id)) return false;
  if (kept.same || kept.before) return Boolean(before?.branches[kept.id]) && (kept.same || areTokens(kept));
  return areTokens(kept);
}

const areTokens = ({ t, s, i, r, name }) =>
  typeof name === "string" &&
  [t, s, i, r].every((list) => Array.isArray(list) && list.length === t.length) &&
  t.every((text) => typeof text === "string") &&
  [s, i].every((list) => list.every((one) => one === null || Number.isFinite(one))) &&
  r.every(Number.isInteger);

// The document of a story's record (playground/stories/story.py), which this model wrote.
export function fromRecord(record, model = null) {
  const { seed, ...settings } = record.settings;
  const tokens = record.tokens.map((token) => ({
    t: token.text,
    s: -Math.log(Math.max(token.probability, 1e-12)),
    i: token.token_id,
    r: token.draw === null ? -1 : 0,
  }));
  const doc = { ...emptyDocument(model), runs: [{ settings, seed }] };
  return withTokens(doc, tokens, record.ended);
}
