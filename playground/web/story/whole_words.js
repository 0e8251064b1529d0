// Whole words in a text, as playground/engine/words.py finds them.

const SPACES = " \t\n\r\u00a0",
  OPENERS = "\"'([{“‘„«¿¡-"; // where a word begins without a space
const LOOKED_AT = 20; // characters at the end of a text

// Whether letters beside it make one word with it; those of scripts without capitals stand alone, since some of
// these have no spaces.
export const joins = (sign) => sign.toLowerCase() !== sign.toUpperCase() || (sign >= "0" && sign <= "9");

// Whether what comes after a text begins a word without a space before it.
export function beginsWord(text) {
  const end = text.slice(-LOOKED_AT);
  let length = end.length;
  while (length && OPENERS.includes(end[length - 1])) length -= 1;
  return !length || SPACES.includes(end[length - 1]);
}

// Where the first place of a word in a text ends; null without one. Both are in lower case. The first character of a
// text that is not whole only says what stands before a word.
export function endOf(word, text, isWhole = true) {
  for (let start = text.indexOf(word, isWhole ? 0 : 1); start >= 0; start = text.indexOf(word, start + 1)) {
    const end = start + word.length;
    const isBegun = !(start && joins(text[start - 1]) && joins(word[0]));
    if (isBegun && !(end < text.length && joins(text[end]) && joins(word.at(-1)))) return end;
  }
  return null;
}

// Whether a word stands in a text, in any case.
export const hasWord = (text, word) => endOf(word.trim().toLowerCase(), text.toLowerCase()) !== null;
