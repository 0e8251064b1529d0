// Where a text that a person typed meets the first token that the model writes, as in
// playground/engine/seam.py: what stands at its end is spelled by the model's first tokens.

const BLANKS = /[ \t\u00a0]{1,32}$/;
const WORD = /(?: |(?<![\p{L}\p{N}]))[\p{L}\p{N}]{1,32}$/u;

// The end of a typed text: the text before it, what the first tokens spell, and the ids of that if it is a
// word, which the model may find finished. `encode`: a text's ids.
export function seamOf(text, encode, completesWord) {
  const [blanks] = BLANKS.exec(text) ?? [];
  if (blanks) return { bare: text.slice(0, -blanks.length), begins: blanks, word: [] };
  const [word] = (completesWord && WORD.exec(text)) || [];
  if (!word) return { bare: text, begins: "", word: [] };
  const bare = text.slice(0, -word.length),
    before = encode(bare),
    ids = encode(text);
  if (!before.every((id, k) => ids[k] === id)) return { bare: text, begins: "", word: [] };
  return { bare, begins: word, word: ids.slice(before.length) };
}

const begins = (bytes, start) => bytes.length >= start.length && start.every((byte, k) => bytes[k] === byte);

// The ids that neither begin with the bytes `start` nor are a beginning of it. `bytesOf`: a token's.
export const notSpelling = (start, vocabulary, bytesOf) =>
  idsWhere(vocabulary, (id) => {
    const bytes = bytesOf(id);
    return !bytes.length || !(begins(bytes, start) || begins(start, bytes));
  });

// The ids of a vocabulary but those that begin with the bytes `start` and say more, and `word`.
export const neitherLongerNor = (word, start, vocabulary, bytesOf) =>
  idsWhere(vocabulary, (id) => {
    const bytes = bytesOf(id);
    return id !== word && !(bytes.length > start.length && begins(bytes, start));
  });

const idsWhere = (vocabulary, is) => Array.from({ length: vocabulary }, (_, id) => id).filter(is);
