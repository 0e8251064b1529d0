// Characters as people count them: an emoji of several parts or a flag is one, and no edit leaves half.

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

// Where the character that a place in a text lies within begins and ends; the place itself between two.
function around(text, at) {
  if (at <= 0 || at >= text.length) return [at, at];
  const { index, segment } = segmenter.segment(text).containing(at);
  return index < at ? [index, index + segment.length] : [at, at];
}

// A range of a text, widened to whole characters; nothing is inserted within one.
export function wholeCharacters(text, from, to) {
  const end = around(text, to)[1];
  return [from === to ? end : around(text, from)[0], end];
}

// What Backspace deletes before a place: one character, or of a letter with marks the last mark.
export function characterBefore(text, at) {
  if (at <= 0) return [0, 0];
  const { index, segment } = segmenter.segment(text).containing(at - 1);
  const isMarked = /^\p{L}\p{M}+$/u.test(segment) && index + segment.length === at;
  return [isMarked ? at - (text.codePointAt(at - 2) > 0xffff ? 2 : 1) : index, index + segment.length];
}

// What Delete deletes after a place.
export function characterAfter(text, at) {
  return at >= text.length ? [at, at] : [around(text, at)[0], around(text, at + 1)[1]];
}
