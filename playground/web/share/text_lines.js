// Line breaking for every script: where a line may end, and its direction.

const words = new Intl.Segmenter(undefined, { granularity: "word" });
const characters = new Intl.Segmenter(undefined, { granularity: "grapheme" });
const SPACE_AT_END = /[^\S\u00a0\u202f]+$/,
  SPACE_AT_START = /^[^\S\u00a0\u202f]+/; // except no-break spaces
// Scripts without spaces between words, and emoji: a line may end before and after each word.
const SPACELESS =
  /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}\p{Script=Thai}\p{Script=Lao}\p{Script=Khmer}\p{Script=Myanmar}\p{Extended_Pictographic}]/u;
const OPENING = /[\p{Ps}\p{Pi}]$/u,
  CLOSING = /^[\p{Pe}\p{Pf}\p{Po}\p{M}ー々]/u; // a line cannot end with OPENING or begin with CLOSING
const RIGHT_TO_LEFT =
  /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;
const SENTENCE_END = /[.!?…]["'”’)]*(?=\s)|[。！？।؟۔]["'”’)」』]*/gu;

// Returns "rtl" or "ltr" by the first letter, like dir="auto".
export const directionOf = (text) => (RIGHT_TO_LEFT.test(/\p{L}/u.exec(text)?.[0] ?? "") ? "rtl" : "ltr");

export const charactersOf = (text) => [...characters.segment(text)].map(({ segment }) => segment);

// Yields the parts of a text between which a line may end; spaces belong to the part before them.
export function* partsOf(text) {
  let part = "",
    last = "";
  for (const { segment } of words.segment(text)) {
    if (part && mayEnd(last, segment)) {
      yield part;
      part = "";
    }
    part += segment;
    last = segment;
  }
  if (part) yield part;
}

function mayEnd(before, next) {
  if (SPACE_AT_START.test(next)) return false;
  if (SPACE_AT_END.test(before)) return true;
  return !OPENING.test(before) && !CLOSING.test(next) && (SPACELESS.test(before) || SPACELESS.test(next));
}

// Returns [start, end] of each line of a text, at most `most`. `widthOf(start, end)`: returns the width of a part, in
// the units of `column`. A word that is wider than a line is broken between characters.
export function linesOf(text, column, widthOf, most = Infinity) {
  const lines = [];
  const endOf = (start, end) => start + text.slice(start, end).replace(SPACE_AT_END, "").length;
  let at = 0;
  for (const paragraph of text.split("\n")) {
    let start = at + (SPACE_AT_START.exec(paragraph)?.[0].length ?? 0),
      end = start;
    for (const part of partsOf(paragraph.slice(start - at))) {
      if (lines.length >= most) return lines;
      const stop = end + part.length;
      if (end > start && widthOf(start, endOf(start, stop)) > column) {
        lines.push([start, endOf(start, end)]);
        start = end;
      }
      while (widthOf(start, endOf(start, stop)) > column) {
        const broken = brokenAt(text, start, stop, column, widthOf);
        if (broken === stop || lines.length >= most) break;
        lines.push([start, broken]);
        start = broken;
      }
      end = stop;
    }
    lines.push([start, endOf(start, end)]);
    at += paragraph.length + 1;
    if (lines.length >= most) break;
  }
  return lines.slice(0, most);
}

// Returns where a word that is wider than a line is broken: after at least one character.
function brokenAt(text, start, stop, column, widthOf) {
  let end = start;
  for (const { segment } of characters.segment(text.slice(start, stop))) {
    if (end > start && widthOf(start, end + segment.length) > column) return end;
    end += segment.length;
  }
  return end;
}

// Returns at most `most` characters of a text, cut after a sentence if that keeps half of them, else after a word.
export function shortened(text, most) {
  const begun = text.slice(0, most - 1);
  const ends = [...`${begun} `.matchAll(SENTENCE_END)].map((match) => match.index + match[0].length);
  if (ends.length && ends.at(-1) >= most / 2) return `${begun.slice(0, ends.at(-1))}\u00a0…`; // no line break before the ellipsis
  let end = 0;
  for (const part of partsOf(text.slice(0, most + 40))) {
    if (end + part.length > most) break;
    end += part.length;
  }
  return `${(end ? text.slice(0, end) : begun).trimEnd()}…`;
}
