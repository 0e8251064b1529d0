// A column of a comparison: a model or one of its snapshots, with the settings of its own; what it writes, and where
// it parts from another column.

import { distribution } from "../sampling/odds.js";
import { SETTINGS } from "../sampling/settings_table.js";

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
  const rows = SETTINGS.filter(({ name }) => name in settings && name !== "length");
  const other = rows.filter(({ name }) => JSON.stringify(settings[name]) !== JSON.stringify(base[name]));
  return Object.fromEntries(other.map(({ name }) => [name, settings[name]]));
}

/**
 * The tokens of a column's story so far, again and again until it is over. A person's tokens have the run -1.
 * @param {Column} column
 * @param {{text: string, settings: Record<string, any>, seed: number}} asked
 * @param {any} source
 * @param {AbortSignal} signal
 * @returns {AsyncGenerator<Token[]>}
 */
export async function* written({ model, step }, { text, settings, seed }, source, signal) {
  const request = { model, text, settings, seeds: [seed] };
  if (step !== null) {
    yield* piecewise({ ...request, step }, source, signal);
    return;
  }
  const tokens = [];
  let typed = 0;
  const whole = { ...request, ids: [], token_id: null, opening: -1, beyond_end: false };
  for await (const message of source.write(whole, signal)) {
    for (const [, texts, surprises, ids] of message.new ?? [])
      texts.forEach((t, k) => tokens.push({ t, s: surprises[k], i: ids[k] }));
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
    yield [{ t: prompt, s: null, i: null, r: -1 }, ...tokens.map(([t, s, i]) => ({ t, s, i, r: 0 }))];
    if (length >= settings.length || tokens.length < length) return;
  }
}

/**
 * Where two stories of the same prompt part: the place in each, or null as long as one is the beginning of the other.
 * @param {Token[]} one
 * @param {Token[]} other
 * @param {boolean} isAlike whether both have the same tokenizer; else their texts are compared
 * @returns {[number, number] | null}
 */
export function parting(one, other, isAlike) {
  if (!isAlike) return textParting(one, other);
  const first = opening(one),
    second = opening(other);
  for (let k = 0; first + k < one.length && second + k < other.length; k += 1)
    if (one[first + k].i !== other[second + k].i) return [first + k, second + k];
  return null;
}

/** @returns {[number, number] | null} */
function textParting(one, other) {
  const [first, second] = [one, other].map((tokens) => tokens.map(({ t }) => t).join(""));
  let at = 0;
  while (at < first.length && first[at] === second[at]) at += 1;
  return at < Math.min(first.length, second.length) ? [placeOf(one, at), placeOf(other, at)] : null;
}

// The token that holds a character of the text.
function placeOf(tokens, at) {
  let end = 0;
  return tokens.findIndex(({ t }) => (end += t.length) > at);
}

// The number of tokens that a person wrote.
const opening = (tokens) => tokens.filter(({ r }) => r < 0).length;

// Whether a model wrote the same tokens in two stories that are over.
export const isSame = (one, other) =>
  parting(one, other, true) === null && one.length - opening(one) === other.length - opening(other);

/**
 * How likely a column found a token after others: `before` its settings, and `after` them where that is known. Null
 * where this cannot be found out: a snapshot reads texts only, and may read the same letters as other tokens.
 * @param {Column} column
 * @param {Token[]} tokens before it
 * @param {Token} token
 * @param {{source: any, core: any, settings: Record<string, any>}} given `settings` of the column
 * @returns {Promise<{before: number, after: number | null} | null>}
 */
export async function likelihood({ model, step }, tokens, token, { source, core, settings }) {
  if (step === null) {
    const place = { model, ids: tokens.map(({ i }) => i), text: "", token_id: token.i };
    const next = await source.candidates(place);
    const after = distribution(core, next, settings).rows.find(({ id }) => id === token.i)?.after ?? null;
    return { before: next.token.probability, after };
  }
  const text = [...tokens, token].map(({ t }) => t).join("");
  if (text.length > SCORED_MAX) return null;
  const read = (await source.once("page_snapshot_score", { model, step, text })).tokens.at(-1);
  return read?.[2] === token.i ? { before: Math.exp(-read[1]), after: null } : null;
}
