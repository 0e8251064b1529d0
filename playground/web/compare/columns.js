// A column of a comparison: a model or one of its snapshots, with the settings of its own; what it writes, and where
// it differs from another column.

import { distribution } from "../sampling/odds.js";
import { SETTINGS } from "../sampling/settings_table.js";
import { append, requestOf, shared, textOf, tokenAt } from "../story/tree.js";

const FIRST = 8; // tokens that a snapshot is asked for first: its endpoint does not stream
const SCORED_MAX = 500; // characters of a text that the server scores with a snapshot

/**
 * @typedef {object} Column
 * @property {string} model its name
 * @property {number | null} step of the snapshot; null for the model itself
 * @property {Record<string, any>} own settings that are not the page's
 */

// The settings that are not the same as those of `base`, without the length.
export function differing(settings, base) {
  const skipped = settings.words_to_use?.length ? ["length"] : ["length", "words_form"]; // a form says nothing without words
  const rows = SETTINGS.filter(({ name }) => name in settings && !skipped.includes(name));
  const other = rows.filter(({ name }) => JSON.stringify(settings[name]) !== JSON.stringify(base[name]));
  return Object.fromEntries(other.map(({ name }) => [name, settings[name]]));
}

/**
 * The tokens of a column's story so far, again and again until it is over. A person's tokens have the run -1.
 * @param {Column} column
 * @param {{text: string, settings: Settings, seed: number}} asked
 * @param {any} source
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Token[]>}
 */
export async function* written({ model, step }, { text, settings, seed }, source, signal) {
  const values = { model, text, settings, seeds: [seed] };
  if (step !== null) {
    yield* piecewise({ ...values, step }, source, signal);
    return;
  }
  /** @type {Token[]} */
  const tokens = [];
  let typed = 0;
  for await (const message of source.write(requestOf([], values), signal)) {
    append([tokens], message);
    typed = message.typed ?? typed;
    yield tokens.map((token, k) => ({ ...token, r: k < typed ? -1 : 0 }));
  }
}

// The beginning of a snapshot's story, then three times as much of it: the same draws write the same words.
async function* piecewise(request, source, signal) {
  const { settings } = request;
  for (let length = FIRST; !signal.aborted; length *= 3) {
    const part = { ...request, settings: { ...settings, length: Math.min(length, settings.length) } };
    const { prompt, tokens } = await source.once("page_snapshot_story", part, signal);
    const words = (prompt.match(/\s*\S+|\s+$/g) ?? []).map((t) => ({ t, s: null, i: null, r: -1 }));
    yield [...words, ...tokens.map(([t, s, i]) => ({ t, s, i, r: 0 }))];
    if (length >= settings.length || tokens.length < length) return;
  }
}

/**
 * Where two stories of the same prompt differ first: the place in each, or null as long as one is the beginning of
 * the other.
 * @param {Token[]} one
 * @param {Token[]} other
 * @param {boolean} isAlike whether both have the same tokenizer; else their texts are compared
 * @returns {[number, number] | null}
 */
export function divergingPlaces(one, other, isAlike) {
  if (!isAlike) return textDivergence(one, other);
  const [first, second] = starts(one, other);
  if (first < 0 || second < 0) return null;
  for (let k = 0; first + k < one.length && second + k < other.length; k += 1)
    if (!isEqual(one[first + k], other[second + k])) return [first + k, second + k];
  return null;
}

// From where on two stories are compared. A model may find the prompt's last word whole, which is then a person's, or
// draw a longer word in its place: the shorter of both openings counts.
function starts(one, other) {
  const start = Math.min(...[one, other].map((tokens) => textOf(tokens.filter(({ r }) => r < 0)).length));
  return [one, other].map((tokens) => {
    let before = 0;
    return tokens.findIndex(({ t, r }) => {
      const isThere = before >= start && (t !== "" || r >= 0);
      before += t.length;
      return isThere;
    });
  });
}

/**
 * The part of each story that a blind vote shows: as many written tokens of each, so that the pace does not tell which
 * column is which. A story that has ended does not hold the others back.
 * @param {{tokens: Token[], isDone: boolean}[]} columns
 * @returns {Token[][]}
 */
export function paced(columns) {
  if (columns.some(({ tokens }) => !tokens.length)) return columns.map(() => []);
  const written = columns.filter(({ isDone }) => !isDone).map(({ tokens }) => tokens.filter(({ r }) => r >= 0).length);
  const least = Math.min(...written);
  return columns.map(({ tokens }) => tokens.slice(0, tokens.filter(({ r }) => r < 0).length + least));
}

const isEqual = (one, other) => (one.i === null || other.i === null ? one.t === other.t : one.i === other.i);

/** @returns {[number, number] | null} */
function textDivergence(one, other) {
  const [first, second] = [textOf(one), textOf(other)],
    at = shared(first, second);
  return at < Math.min(first.length, second.length) ? [tokenAt(one, at), tokenAt(other, at)] : null;
}

// Whether two stories that are over have the same tokens after the prompt.
export function isSame(one, other) {
  const [first, second] = starts(one, other);
  return divergingPlaces(one, other, true) === null && one.slice(first).length === other.slice(second).length;
}

/**
 * The probability that a column gives a token after others: `before` its settings, and `after` them where that is known. Null
 * where this cannot be found out: a snapshot reads texts only, and may read the same letters as other tokens.
 * @param {Column} column
 * @param {Token[]} tokens before it
 * @param {Token} token
 * @param {{source: any, core: any, settings: Record<string, any>}} given `settings` of the column
 * @returns {Promise<{before: number, after: number | null} | null>}
 */
export async function likelihood({ model, step }, tokens, token, { source, core, settings }) {
  if (token.i === null) return null; // of a prompt that a snapshot gave back as text
  if (step === null) {
    const place = { model, ids: tokens.map(({ i }) => i), text: "", token_id: token.i };
    const next = await source.candidates(place);
    const after = distribution(core, next, settings).rows.find(({ id }) => id === token.i)?.after ?? null;
    return { before: next.token.probability, after };
  }
  const text = textOf([...tokens, token]);
  if (text.length > SCORED_MAX) return null;
  const read = (await source.once("page_snapshot_score", { model, step, text })).tokens.at(-1);
  return read?.[2] === token.i ? { before: Math.exp(-read[1]), after: null } : null;
}
