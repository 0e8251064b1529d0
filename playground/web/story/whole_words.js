// Whole words in a text, as playground/engine/words.py finds them.

const SPACES = " \t\n\r\u00a0",
  OPENERS = "\"'([{“‘„«¿¡-"; // where a word begins without a space
const TAIL = 20; // characters at the end of a text that are read

// Returns whether a character is part of the same word as adjacent letters. Letters of scripts without case are not,
// since some of these have no spaces.
export const joins = (character) =>
  character.toLowerCase() !== character.toUpperCase() || (character >= "0" && character <= "9");

// Returns whether a word after a text needs no space before it.
export function beginsWord(text) {
  const end = text.slice(-TAIL);
  let length = end.length;
  while (length && OPENERS.includes(end[length - 1])) length -= 1;
  return !length || SPACES.includes(end[length - 1]);
}

// Returns where the first occurrence of a word in a text ends; null without one. Both are in lower case. Unless
// `isWhole`, the text's first character is only context.
export function endOf(word, text, isWhole = true) {
  for (let start = text.indexOf(word, isWhole ? 0 : 1); start >= 0; start = text.indexOf(word, start + 1)) {
    const end = start + word.length;
    const isBegun = !(start && joins(text[start - 1]) && joins(word[0]));
    if (isBegun && !(end < text.length && joins(text[end]) && joins(word.at(-1)))) return end;
  }
  return null;
}

// Returns whether a text contains a word, in any case.
export const hasWord = (text, word) => endOf(word.trim().toLowerCase(), text.toLowerCase()) !== null;
