// A story with all its branches, independent of the page.
//
// types.d.ts describes documents, branches, tokens and runs. Pending text, which is not scored yet, is stored as tokens
// without ids at the end of a branch, in pieces of any size.
//
// Every branch has all its tokens; branches share token objects, so common prefixes are found by identity. Documents
// are immutable: each function returns a new one, so undo only needs to keep the old ones.

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

const FINGERPRINT = 16; // hexadecimal digits of a stored fingerprint

/**
 * Returns the identity of a model: its fingerprint and its tokenizer's (folder/model_info.py).
 * @param {ModelInfo | Signature} model
 * @returns {Signature}
 */
export const signature = ({ name, fingerprint, tokenizer }) => ({
  name,
  fingerprint: fingerprint?.slice(0, FINGERPRINT) ?? null,
  tokenizer: tokenizer ?? null,
});

/**
 * Returns whether a document's ids and surprises are of this model. Links of older versions do not name a tokenizer.
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

/**
 * Returns the index of the token that holds the character at `offset` of the text, -1 behind the text.
 * @param {Token[]} tokens
 * @param {number} offset
 */
export function tokenAt(tokens, offset) {
  let end = 0;
  return tokens.findIndex(({ t }) => (end += t.length) > offset);
}

/** @param {Token[]} tokens */
export function knownTokens(tokens) {
  const first = tokens.findIndex((token) => token.i === null);
  return first < 0 ? tokens : tokens.slice(0, first);
}

/** @param {Token[]} tokens */
export const idsOf = (tokens) => knownTokens(tokens).map((token) => token.i);

const pendingTokens = (tokens) => tokens.slice(knownTokens(tokens).length);

// Returns the text after the last scored token, or "".
export const pendingText = (tokens) => textOf(pendingTokens(tokens));

// Returns the tokens before the typed text that the next token must continue, and that text (for token healing): the
// pending text, else the last word if a person wrote it, since it may be incomplete.
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
 * Returns the document with other tokens in its current branch.
 * @param {StoryDocument} doc
 * @param {Token[]} tokens
 */
export function withTokens(doc, tokens, ended = false) {
  return withBranch(doc, { ...current(doc), tokens, ended });
}

/**
 * Returns the indices of the runs of which tokens are, each once.
 * @param {Token[]} tokens
 */
export const runsOf = (tokens) => [...new Set(tokens.map((token) => token.r))].filter((run) => run >= 0);

/**
 * Returns the stretches of tokens of one run, in order.
 * @param {{ r: number }[]} tokens
 * @returns {{ run: number, from: number, to: number }[]}
 */
export function stretchesOf(tokens) {
  const stretches = [];
  tokens.forEach(({ r: run }, k) => {
    if (stretches.at(-1)?.run === run) stretches.at(-1).to = k + 1;
    else stretches.push({ run, from: k, to: k + 1 });
  });
  return stretches;
}

// Returns the length of the common prefix of two lists or texts, such as branches.
export function shared(one, other) {
  const end = Math.min(one.length, other.length);
  let count = 0;
  while (count < end && one[count] === other[count]) count += 1;
  return count;
}

// Returns the lengths of the common prefix of two lists or texts, and of the common suffix of the rest.
export function unchanged(before, after, isSame = (a, b) => a === b) {
  const most = Math.min(before.length, after.length);
  let start = 0,
    end = 0;
  while (start < most && isSame(before[start], after[start])) start += 1;
  while (end < most - start && isSame(before.at(-1 - end), after.at(-1 - end))) end += 1;
  return [start, end];
}

// Returns how many tokens stay valid after an edit that keeps the first `start` characters of `text`, and the length of
// their text.
function keptTokens(tokens, text, start) {
  let kept = 0,
    length = 0;
  while (kept < tokens.length && tokens[kept].i !== null && length + tokens[kept].t.length <= start) {
    length += tokens[kept].t.length;
    kept += 1;
  }
  const isWhole = kept === tokens.length; // the edit only appends
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

// Returns the document after an edit of the current branch's text. Tokens before the word with the edit stay; all text
// after them becomes pending. Unchanged pieces of pending text stay the same, so that the page does not redraw them.
/** @param {StoryDocument} doc */
export function edited(doc, text) {
  const { tokens } = current(doc);
  const before = textOf(tokens);
  if (text === before) return doc;
  const [start, end] = unchanged(before, text);
  const [kept, length] = keptTokens(tokens, text, start);
  const result = tokens.slice(0, kept);
  let at = length,
    next = kept;
  while (next < tokens.length && at + tokens[next].t.length <= start) {
    const token = tokens[next];
    at += token.t.length;
    next += 1;
    if (token.t) result.push(token.i === null ? token : pending(token.t, token)); // scoring may restore it
  }
  let after = tokens.length,
    rest = text.length;
  while (after > next && text.length - rest + tokens[after - 1].t.length <= end) rest -= tokens[--after].t.length;
  if (rest > at) {
    const last = at === start ? result.at(-1) : null; // successive typing is one piece
    const typed = last?.i === null && !last.was ? result.pop().t : "";
    result.push(pending(typed + text.slice(at, rest)));
  }
  for (const token of tokens.slice(after)) {
    if (token.t) result.push(token.i === null && !token.was ? token : pending(token.t));
  }
  return withTokens(doc, result);
}

// Returns the first words of a text, of about `length` characters: tokenizers split a text between words.
export function firstWords(text, length) {
  const end = text.slice(length).search(/\s/);
  if (end < 0 || !text.slice(length + end).trim()) return text;
  return text.slice(0, length + end).trimEnd() || text;
}

// Returns the document with the first `length` characters of the pending text replaced by their scored tokens. A token
// that an edit touched, but that is scored as before, keeps its writer.
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
  const restored = tokens.map((token, k) => (k < same ? waiting[k].was : token));
  const branch = { ...doc.branches[id], tokens: [...known, ...restored, ...rest] };
  return withShared(withBranch(doc, branch), known, id);
}

// Keeps common prefixes shared: branches whose scored tokens are a prefix of those of branch `id`, as all are in a
// document of another model, take over the tokens of their common text.
function withShared(doc, known, id) {
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
 * Returns the document for another model: all its text is pending.
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
 * Returns the document with a new branch of the current one, with these tokens, as the current branch.
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
 * Returns the document without a branch; its children become those of its parent.
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

// Returns the branches that begin at the same branch, with that one first.
export function siblingsOf(doc, id) {
  const { parent } = doc.branches[id];
  const all = childrenOf(doc, parent);
  return parent === null ? all : [doc.branches[parent], ...all];
}

/**
 * Returns the document with changed values of a run.
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
 * Returns the request to a source for text after the tokens `before`. `values`: the typed text after them, or the chosen
 * token. Draws are counted from `opening`, the first token that a model wrote; -1 without one.
 * @param {Token[]} before
 * @param {Partial<WriteRequest> & Pick<WriteRequest, "model" | "settings" | "seeds">} values
 * @returns {WriteRequest}
 */
export const requestOf = (before, values) => ({
  ids: idsOf(before),
  text: "",
  token_id: null,
  opening: before.findIndex(({ r }) => r >= 0),
  beyond_end: false,
  ...values,
});

/**
 * Appends the new tokens of a source's message to the streams, as a person's (run -1) until the caller sets their run.
 * @param {Token[][]} streams
 * @param {Message} message
 */
export function append(streams, message) {
  for (const [stream, texts, surprises, ids] of message.new ?? [])
    texts.forEach((t, k) => streams[stream].push({ t, s: surprises[k], i: ids[k], r: -1 }));
}

// Returns the number of tokens outside a model's context window, which slides by quarters, as in engine/batch.py. The
// token before the story is in the window too.
export function outsideContext(count, context) {
  const step = Math.max(1, Math.floor(context / 4));
  return Math.max(0, Math.ceil((count + 1 - context) / step) * step - 1);
}

// Returns the document as a value for storage: a branch stores the length of its common prefix with its parent, or with
// itself in another document, `before`.
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
 * Returns the document in such a value, or null if it is invalid.
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
        waiting.push(kept); // its parent comes later
        continue;
      }
      const from = kept.before ? old : parent;
      const own = kept.t.map((t, k) => ({ t, s: kept.s[k], i: kept.i[k], r: kept.r[k] }));
      const tokens = [...(from?.tokens.slice(0, kept.shared) ?? []), ...own];
      branches[kept.id] = { ...branchOf(kept.id, kept.parent, tokens, kept.name), ended: kept.ended };
    }
  }
  if (!branches[value.current]) return null;
  // Older versions stored whether one space was typed before a run's first word.
  const own = value.runs.map(({ space, ...run }) => ({ begins: space ? " " : "", ...run }));
  const runs = [...(before?.runs.slice(0, value.sharedRuns) ?? []), ...own];
  return { branches, current: value.current, next: value.next, runs, model: value.model ?? null, story: null };
}

// Returns whether a stored branch is valid; it may come from any file.
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

// Returns the document of a story's record (playground/stories/story.py) by this model.
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
