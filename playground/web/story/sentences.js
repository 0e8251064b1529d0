// Sentences of a story, by the rules of the Unicode standard (UAX 29) but for two: what begins with a small letter is
// no sentence ("Hi!" said Tom), and a title ends none.

import { textOf } from "./tree.js";

const PARTS = new Intl.Segmenter("en", { granularity: "sentence" });
const TITLE = /(?:^|[^\p{L}])(?:Mr|Mrs|Ms|Dr|St)\.$/u;

/**
 * Where each sentence of a text begins and ends, without the spaces around it.
 * @param {string} text
 * @returns {[number, number][]}
 */
function sentencesOf(text) {
  const found = [];
  for (const { index, segment } of PARTS.segment(text)) {
    const begin = index + segment.length - segment.trimStart().length,
      end = index + segment.trimEnd().length;
    if (begin >= end) continue;
    const goesOn = found.length && (/^\p{Ll}/u.test(text.slice(begin)) || TITLE.test(text.slice(...found.at(-1))));
    if (goesOn) found.at(-1)[1] = end;
    else found.push([begin, end]);
  }
  return found;
}

/**
 * The tokens of the sentence in which token `k` stands, or else of the one before it: [the first, the one behind the
 * last]. A space before the sentence is its first token's; what stands behind it belongs to none.
 * @param {Token[]} tokens
 * @param {number} k
 * @returns {[number, number]}
 */
export function sentenceAt(tokens, k) {
  const starts = [0];
  for (const token of tokens) starts.push(starts.at(-1) + token.t.length);
  const sentence = sentencesOf(textOf(tokens)).findLast(([begin]) => begin < starts[k + 1]);
  if (!sentence) return [0, 0];
  const [begin, end] = sentence;
  const from = starts.findLastIndex((start) => start <= begin);
  return [from, starts.findIndex((start) => start >= end)];
}

/**
 * How many characters the first sentence of a text has, with the space before it; null while it has no end, because
 * no other has begun behind it.
 * @param {string} text
 */
export function lengthOfFirst(text) {
  const [first, next] = sentencesOf(text);
  return next ? first[1] : null;
}
