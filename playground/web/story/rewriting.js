// Other sentences for the place of one in a story, ranked by how likely they make what comes after them.
//
// Few sentences that a model draws freely fit a story that went on from another one. So only some of the proposals are
// new from their first word on; others begin as the sentence does that stands there, and part from it later, or are that
// sentence with one other word.

import { lengthOfFirst } from "./sentences.js";
import { append, idsOf, requestOf, textOf } from "./tree.js";

// Parts of the sentence that proposals begin with, at most all but its last word: first these, then, as long as none
// fits as well as the sentence that stands there, others.
const KEPT = [0, 0.25, 0.5, 0.75, 1],
  KEPT_THEN = [1, 0.75, 0.5, 0.25, 0.9, 0.6, 0.35, 0.8];
const WARMER = 1.2; // the least temperature of those that keep something
const STREAMS = 8, // proposals that are drawn at once
  LENGTH = 60; // tokens of one, at most
const SHOWN = 8,
  OF_EACH = 2; // of those that keep as much of the sentence, as long as there are enough others
const LOOKED_AT = 100; // tokens of the story behind the sentence that rank it
const AT_ONCE = 4; // questions that a server is asked
const LEAST_END = 2; // tokens: the last word and its full stop
const WORD = /^ ?\p{L}+$/u; // a token that another may replace
const LESS_LIKELY = 5; // nats: how much less likely the sentence may become by another word

/**
 * @typedef {object} Proposal
 * @property {Token[]} tokens of the sentence; those that it has in common with the one that stands there are the same
 *   objects, and the others have no run yet
 * @property {number} kept how many these are, from the first on
 * @property {Run | null} run how the others were drawn; null where one word is another
 * @property {number[]} surprises of the tokens behind it, as far as they are looked at
 * @property {number} gain in nats: how much likelier these are than behind the sentence that stands there
 */

/**
 * The best sentences for the place of the tokens `from` to `to`, the best first: eight, or fewer where the model has no
 * others.
 * @param {Pick<Source, "write" | "score">} source
 * @param {{ model: string, tokens: Token[], from: number, to: number, settings: Settings, seed: number }} place
 * @param {AbortSignal} signal
 * @param {(proposals: Proposal[]) => void} show hears what is known so far
 * @returns {Promise<Proposal[]>}
 */
export async function rewrite(source, place, signal, show = () => {}) {
  const { tokens, from, to } = place;
  const old = tokens.slice(from, to),
    behind = tokens.slice(to, to + LOOKED_AT);
  const known = new Set([textOf(old).trim()]);
  const now = await surprisesBehind(source, place, old, behind, signal);
  const all = [];
  const rank = async (drawn) => {
    const found = drawn.filter(({ tokens: own }) => {
      const text = textOf(own).trim();
      return text && !known.has(text) && known.add(text);
    });
    const ranked = await someAtOnce(found, signal, async (one) => {
      const surprises = await surprisesBehind(source, place, one.tokens, behind, signal);
      return { ...one, surprises, gain: sum(now) - sum(surprises) };
    });
    all.push(...ranked);
    show(best(all));
  };
  await rank(await withAnotherWord(source, place, signal));
  const most = Math.max(0, old.length - LEAST_END);
  for (const [round, part] of [...KEPT, ...KEPT_THEN].entries()) {
    if (signal.aborted || (round >= KEPT.length && all.some(({ gain }) => gain >= 0))) break;
    await rank(
      await sentences(source, place, Math.round(part * most), (place.seed + round * STREAMS) % 2 ** 32, signal),
    );
  }
  return best(all);
}

// What `ask` answers about each, asked for some at once until it is stopped.
async function someAtOnce(all, signal, ask) {
  const found = [];
  for (let k = 0; k < all.length && !signal.aborted; k += AT_ONCE)
    found.push(...(await Promise.all(all.slice(k, k + AT_ONCE).map(ask))));
  return found;
}

const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

const byGain = (one, other) => other.gain - one.gain;

// The proposals that are shown: the best of each kind, and else the best.
function best(all) {
  const ranked = all.toSorted(byGain);
  const kind = ({ kept, run }) => (run ? kept : -1);
  const isOfBest = (one) => ranked.filter((other) => kind(other) === kind(one)).indexOf(one) < OF_EACH;
  return [...ranked.filter(isOfBest), ...ranked.filter((one) => !isOfBest(one))].slice(0, SHOWN).sort(byGain);
}

// The surprise of the tokens `behind` a sentence in that place.
const surprisesBehind = (source, { model, tokens, from }, sentence, behind, signal) =>
  surprisesOf(source, model, [...tokens.slice(0, from), ...sentence], behind, signal);

// The surprise of some tokens behind others.
async function surprisesOf(source, model, before, some, signal) {
  if (!some.length) return [];
  const found = await source.score({ model, ids: idsOf(before), text: "", given: idsOf(some) }, signal);
  return found.tokens.map(([, nats]) => nats);
}

/**
 * The sentence in that place with one of the likeliest other words in the place of each of its words but the last token,
 * where this leaves the sentence likely.
 * @returns {Promise<{ tokens: Token[], kept: number, run: null }[]>}
 */
async function withAnotherWord(source, { model, tokens, from, to }, signal) {
  const record = await source.record({ model, ids: idsOf(tokens.slice(0, to)), parts: [] }, signal);
  const known = record.tokens.slice(from);
  const words = known
    .slice(0, -1)
    .flatMap(({ text, alternatives }, k) =>
      alternatives.filter((one) => isAnotherWord(one.text, text)).map((one) => ({ ...one, k })),
    );
  const found = await someAtOnce(words, signal, async ({ k, token_id: i, text: t, probability }) => {
    const before = tokens.slice(0, from + k),
      word = { t, s: surprise(probability), i, r: -1 },
      after = tokens.slice(from + k + 1, to);
    const surprises = await surprisesOf(source, model, [...before, word], after, signal);
    const rest = after.map((token, n) => ({ ...token, s: surprises[n], r: -1 }));
    const more = word.s + sum(surprises) - sum(known.slice(k).map((token) => surprise(token.probability)));
    return { tokens: [...before.slice(from), word, ...rest], kept: k, run: null, more };
  });
  return found.filter(({ more }) => more < LESS_LIKELY);
}

const surprise = (probability) => -Math.log(Math.max(probability, Number.MIN_VALUE));

const isAnotherWord = (text, old) =>
  WORD.test(text) &&
  WORD.test(old) &&
  text.startsWith(" ") === old.startsWith(" ") &&
  text.toLowerCase() !== old.toLowerCase();

// How a model draws them.
const settingsOf = (settings, kept) => ({
  ...settings,
  temperature: Math.max(settings.temperature, kept ? WARMER : 0),
  length: LENGTH,
  words_to_use: [],
  stop_at_end: true,
});

/**
 * Sentences that begin with the first `kept` tokens of the one in that place: those that end.
 * @returns {Promise<{ tokens: Token[], kept: number, run: Run }[]>}
 */
async function sentences(source, { model, tokens, from, settings }, kept, first, signal) {
  const before = tokens.slice(0, from + kept),
    begun = tokens.slice(from, from + kept);
  const seeds = Array.from({ length: STREAMS }, (_, k) => (first + k) % 2 ** 32);
  const request = requestOf(before, { model, seeds, settings: settingsOf(settings, kept) });
  const streams = seeds.map(() => [...begun]),
    found = seeds.map(() => null);
  const stop = new AbortController();
  for await (const message of source.write(request, AbortSignal.any([signal, stop.signal]))) {
    append(streams, message);
    for (const [k] of message.new ?? []) found[k] ??= firstSentence(streams[k]);
    message.ended?.forEach((ended, k) => {
      if (ended) found[k] ??= streams[k];
    });
    if (found.every(Boolean)) break;
  }
  stop.abort();
  return seeds.flatMap((seed, k) =>
    found[k]?.length > kept ? [{ tokens: found[k], kept, run: { settings: request.settings, seed } }] : [],
  );
}

// The tokens of the first sentence, if it has an end.
function firstSentence(tokens) {
  const length = lengthOfFirst(textOf(tokens));
  if (length === null) return null;
  let count = 0;
  for (let at = 0; at < length; count += 1) at += tokens[count].t.length;
  return tokens.slice(0, count);
}
