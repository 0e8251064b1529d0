// Sentences of a story, by the rules of the Unicode standard (UAX 29) with two exceptions: a sentence does not begin
// with a lower-case letter ("Hi!" said Tom), and does not end after a title such as "Mr.".

import { textOf } from "./tree.js";

const PARTS = new Intl.Segmenter("en", { granularity: "sentence" });
const TITLE = /(?:^|[^\p{L}])(?:Mr|Mrs|Ms|Dr|St)\.$/u;

/**
 * Returns where each sentence of a text begins and ends, without the spaces around it.
 * @param {string} text
 * @returns {[number, number][]}
 */
function sentencesOf(text) {
  const sentences = [];
  for (const { index, segment } of PARTS.segment(text)) {
    const begin = index + segment.length - segment.trimStart().length,
      end = index + segment.trimEnd().length;
    if (begin >= end) continue;
    const last = sentences.at(-1);
    const continues = last && (/^\p{Ll}/u.test(text.slice(begin)) || TITLE.test(text.slice(...last)));
    if (continues) last[1] = end;
    else sentences.push([begin, end]);
  }
  return sentences;
}

/**
 * Returns the tokens of the sentence with token `k`, else of the sentence before it: [first, after the last]. A space
 * before the sentence belongs to its first token; spaces after it belong to no sentence.
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
 * Returns the length of the first sentence of a text in characters, with the space before it; null until a second
 * sentence has begun.
 * @param {string} text
 */
export function lengthOfFirst(text) {
  const [first, next] = sentencesOf(text);
  return next ? first[1] : null;
}
