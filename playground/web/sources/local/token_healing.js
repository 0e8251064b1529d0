// Token healing, as in playground/engine/token_healing.py: the end of a typed text is removed and becomes a prefix that the
// model's first tokens must spell.

const BLANKS = /[ \t\u00a0]{1,32}$/;
const WORD = /(?: |(?<![\p{L}\p{N}]))[\p{L}\p{N}]{1,32}$/u;

// Returns { bare, begins, word }: the text without its end, the prefix that the first tokens must spell, and the ids of
// the prefix if it is a word, which may be complete already. `encode`: returns a text's ids.
export function healed(text, encode, completesWord) {
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

// Returns the ids of tokens that neither begin with the bytes `start` nor are a prefix of them. `bytesOf`: a token's.
export const notSpelling = (start, vocabulary, bytesOf) =>
  idsWhere(vocabulary, (id) => {
    const bytes = bytesOf(id);
    return !bytes.length || !(begins(bytes, start) || begins(start, bytes));
  });

// Returns all ids of a vocabulary but `word` and those that begin with the bytes `start` and are longer.
export const neitherLongerNor = (word, start, vocabulary, bytesOf) =>
  idsWhere(vocabulary, (id) => {
    const bytes = bytesOf(id);
    return id !== word && !(bytes.length > start.length && begins(bytes, start));
  });

const idsWhere = (vocabulary, is) => Array.from({ length: vocabulary }, (_, id) => id).filter(is);
