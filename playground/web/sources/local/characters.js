// Incomplete characters, as in playground/engine/characters.py: a token may end in the middle of a UTF-8 character, and
// the next token must continue that character.

// Well-formed UTF-8 (table 3-7 of the Unicode standard). Each byte is a character of the same number here.
const WHOLE =
  "[\\x00-\\x7f]|[\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|" +
  "[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}|\\xed[\\x80-\\x9f][\\x80-\\xbf]|" +
  "\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2}";
const PART =
  "[\\xc2-\\xdf]|\\xe0[\\xa0-\\xbf]?|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]?|\\xed[\\x80-\\x9f]?|" +
  "\\xf0(?:[\\x90-\\xbf][\\x80-\\xbf]?)?|[\\xf1-\\xf3][\\x80-\\xbf]{0,2}|\\xf4(?:[\\x80-\\x8f][\\x80-\\xbf]?)?";
const BEGUN = new RegExp(`(?:${PART})$`);
const WELL_FORMED = new RegExp(`^(?:${WHOLE})*(?:${PART})?$`);
const LONGEST = 3; // bytes of an incomplete character
const REST = 0x80,
  REST_END = 0xc0; // continuation bytes

const letters = (bytes) => String.fromCharCode(...bytes);
const isRest = (bytes) => bytes[0] >= REST && bytes[0] < REST_END;

// Returns the incomplete character at the end of some bytes.
export function begun(bytes) {
  const [part] = BEGUN.exec(letters(bytes.slice(-LONGEST))) ?? [""];
  return bytes.slice(bytes.length - part.length);
}

// Returns whether a token continues an incomplete character, and is well-formed after it.
export const continues = (part, token) => isRest(token) && WELL_FORMED.test(letters(part) + letters(token));

// The tokens of a vocabulary by the incomplete characters that they continue. `bytesOf`: returns a token's bytes.
export class Characters {
  constructor(vocabulary, bytesOf) {
    this.bytesOf = bytesOf;
    this.ids = Array.from({ length: vocabulary }, (_, id) => id);
    this.rests = this.ids.filter((id) => isRest(bytesOf(id)));
    this.known = new Map();
  }

  // Returns the ids that must not follow some ids. After an incomplete character: all that do not continue it ([] if
  // the vocabulary has no token that does); otherwise: those that begin with continuation bytes.
  notContinuing(ids) {
    if (!(this.bytesOf(ids.at(-1)).at(-1) >= REST)) return this.rests;
    let end = [];
    for (const id of ids.slice(-LONGEST).reverse()) {
      const bytes = this.bytesOf(id);
      if (!bytes.length) break;
      end = [...bytes, ...end];
    }
    const part = begun(end),
      key = letters(part);
    if (!part.length) return this.rests;
    if (!this.known.has(key)) {
      const good = new Set(this.rests.filter((id) => continues(part, this.bytesOf(id))));
      this.known.set(key, good.size ? this.ids.filter((id) => !good.has(id)) : []);
    }
    return this.known.get(key);
  }
}
