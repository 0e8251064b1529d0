// Grapheme clusters: an emoji of several code points or a flag is one character, and edits do not split it.

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

// Returns the range of the character around an offset; an empty range between two characters.
function around(text, at) {
  if (at <= 0 || at >= text.length) return [at, at];
  const { index, segment } = segmenter.segment(text).containing(at);
  return index < at ? [index, index + segment.length] : [at, at];
}

// Returns a range widened to whole characters.
export function wholeCharacters(text, from, to) {
  const end = around(text, to)[1];
  return [from === to ? end : around(text, from)[0], end];
}

// Returns the range that Backspace deletes: one character, or the last mark of a letter with marks.
export function characterBefore(text, at) {
  if (at <= 0) return [0, 0];
  const { index, segment } = segmenter.segment(text).containing(at - 1);
  const isMarked = /^\p{L}\p{M}+$/u.test(segment) && index + segment.length === at;
  return [isMarked ? at - (text.codePointAt(at - 2) > 0xffff ? 2 : 1) : index, index + segment.length];
}

// Returns the range that Delete deletes.
export function characterAfter(text, at) {
  return at >= text.length ? [at, at] : [around(text, at)[0], around(text, at + 1)[1]];
}
