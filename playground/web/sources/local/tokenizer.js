// Byte-level BPE as the library `tokenizers` does it: a text to ids, and ids to bytes.

const SPACE = "\\p{White_Space}"; // what Rust's \s is; JavaScript's \s has U+FEFF and lacks U+0085
const PATTERNS = {
  // GPT-2's (Radford et al. 2019)
  gpt2: `'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
  // of the trainer's own vocabularies
  own:
    "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}" +
    `| ?[^${SPACE}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${SPACE}*[\\r\\n]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
};
const REMEMBERED = 20_000; // words whose ids are kept
const PAIR = 2 ** 26; // above every id

export class Tokenizer {
  // `letters`: id of each byte; `merges`: ids of both halves of each, in their order; `made`: what each
  // makes; `added`: [id, text, is silent] of tokens that are found before a text is split.
  constructor({ pattern, letters, merges, made, added }, vocabulary) {
    this.words = new RegExp(PATTERNS[pattern], "gu");
    this.letters = letters;
    this.added = added;
    // Pairs in the order of their numbers, to be halved: a Map of 50,000 would take five times the memory.
    const numberOf = (k) => merges[2 * k] * PAIR + merges[2 * k + 1];
    this.order = Uint32Array.from(made, (_, k) => k).sort((k, n) => numberOf(k) - numberOf(n) || k - n);
    this.pairs = Float64Array.from(this.order, numberOf);
    this.made = made;
    this.read(merges, vocabulary);
    this.known = new Map();
  }

  // The bytes of all tokens, one behind the other: 50,000 small arrays would take ten times the memory.
  read(merges, vocabulary) {
    const { letters, made, added } = this;
    const lengths = new Uint32Array(vocabulary),
      encoder = new TextEncoder();
    for (const id of letters) lengths[id] = 1;
    for (let k = 0; k < made.length; k += 1) lengths[made[k]] = lengths[merges[2 * k]] + lengths[merges[2 * k + 1]];
    const texts = added.map(([id, text, silent]) => [id, silent ? new Uint8Array() : encoder.encode(text)]);
    for (const [id, bytes] of texts) lengths[id] = bytes.length;
    this.starts = new Uint32Array(vocabulary + 1);
    for (let id = 0; id < vocabulary; id += 1) this.starts[id + 1] = this.starts[id] + lengths[id];
    this.bytes = new Uint8Array(this.starts[vocabulary]);
    letters.forEach((id, byte) => {
      this.bytes[this.starts[id]] = byte;
    });
    for (let k = 0; k < made.length; k += 1) {
      const left = this.bytesOf(merges[2 * k]),
        at = this.starts[made[k]];
      this.bytes.set(left, at);
      this.bytes.set(this.bytesOf(merges[2 * k + 1]), at + left.length);
    }
    for (const [id, bytes] of texts) this.bytes.set(bytes, this.starts[id]);
  }

  encode(text) {
    const ids = [];
    for (const part of this.parts(text)) {
      if (typeof part === "number") ids.push(part);
      else for (const [word] of part.matchAll(this.words)) ids.push(...this.word(word));
    }
    return ids;
  }

  // The text between added tokens, and their ids.
  *parts(text) {
    let from = 0;
    while (from < text.length) {
      let at = text.length,
        found = null;
      for (const one of this.added) {
        // the longest first
        const index = text.indexOf(one[1], from);
        if (index >= 0 && index < at) [at, found] = [index, one];
      }
      if (at > from) yield text.slice(from, at);
      if (!found) return;
      yield found[0];
      from = at + found[1].length;
    }
  }

  // The place of a pair among the merges; Infinity if it is not one of them.
  rank(left, right) {
    const pair = left * PAIR + right;
    let low = 0,
      high = this.pairs.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.pairs[middle] < pair) low = middle + 1;
      else high = middle;
    }
    return this.pairs[low] === pair ? this.order[low] : Infinity;
  }

  word(word) {
    let ids = this.known.get(word);
    if (ids) return ids;
    ids = Array.from(new TextEncoder().encode(word), (byte) => this.letters[byte]);
    while (ids.length > 1) {
      let best = Infinity;
      for (let k = 1; k < ids.length; k += 1) {
        best = Math.min(best, this.rank(ids[k - 1], ids[k]));
      }
      if (best === Infinity) break;
      const next = [];
      for (let k = 0; k < ids.length; k += 1) {
        if (k + 1 < ids.length && this.rank(ids[k], ids[k + 1]) === best) {
          next.push(this.made[best]);
          k += 1;
        } else next.push(ids[k]);
      }
      ids = next;
    }
    if (this.known.size >= REMEMBERED) this.known.clear();
    this.known.set(word, ids);
    return ids;
  }

  // The bytes that a token adds to a text.
  bytesOf(id) {
    return this.bytes.subarray(this.starts[id], this.starts[id + 1]);
  }

  // One token for people: its text, or its bytes in angle brackets if they are not text.
  label(id) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytesOf(id));
    } catch {
      return `<${Array.from(this.bytesOf(id), (byte) => byte.toString(16).padStart(2, "0")).join(" ")}>`;
    }
  }

  // Tokens to text as they come: a function from an id to what it completes.
  letterByLetter() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return (id) => decoder.decode(this.bytesOf(id), { stream: true });
  }
}
