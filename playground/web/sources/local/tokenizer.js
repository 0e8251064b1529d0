// Byte-level BPE, equal to the library `tokenizers`: texts to ids, and ids to bytes.

const SPACE = "\\p{White_Space}"; // as Rust's \s; JavaScript's \s has U+FEFF and lacks U+0085
const PATTERNS = {
  // GPT-2's (Radford et al. 2019)
  gpt2: `'(?:s|t|re|ve|m|ll|d)| ?\\p{L}+| ?\\p{N}+| ?[^${SPACE}\\p{L}\\p{N}]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
  // of the trainer's own vocabularies
  own:
    "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])|[^\\r\\n\\p{L}\\p{N}]?[\\p{L}\\p{M}]+|\\p{N}" +
    `| ?[^${SPACE}\\p{L}\\p{M}\\p{N}]+[\\r\\n]*|${SPACE}*[\\r\\n]+|${SPACE}+(?!\\P{White_Space})|${SPACE}+`,
};
const CACHED_WORDS = 20_000;
const PAIR = 2 ** 26; // above every id

export class Tokenizer {
  // `letters`: id of each byte; `merges`: ids of both halves of each merge, by priority; `made`: id of each merged
  // token; `added`: [id, text, is silent] of added tokens, which are matched before a text is split.
  constructor({ pattern, letters, merges, made, added }, vocabulary) {
    this.words = new RegExp(PATTERNS[pattern], "gu");
    this.letters = letters;
    this.added = added;
    // Pairs sorted by number for binary search: a Map of 50,000 would take five times the memory.
    const numberOf = (k) => merges[2 * k] * PAIR + merges[2 * k + 1];
    this.order = Uint32Array.from(made, (_, k) => k).sort((k, n) => numberOf(k) - numberOf(n) || k - n);
    this.pairs = Float64Array.from(this.order, numberOf);
    this.made = made;
    this.read(merges, vocabulary);
    this.known = new Map();
  }

  // Fills `bytes` with the bytes of all tokens, concatenated: 50,000 small arrays would take ten times the memory.
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
    for (const [byte, id] of letters.entries()) this.bytes[this.starts[id]] = byte;
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

  // Yields the texts between added tokens, and the ids of these.
  *parts(text) {
    let from = 0;
    while (from < text.length) {
      let at = text.length,
        first = null;
      for (const token of this.added) {
        // the longest first
        const index = text.indexOf(token[1], from);
        if (index >= 0 && index < at) [at, first] = [index, token];
      }
      if (at > from) yield text.slice(from, at);
      if (!first) return;
      yield first[0];
      from = at + first[1].length;
    }
  }

  // Returns the priority of a pair among the merges; Infinity if it is not a merge.
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
      for (let k = 1; k < ids.length; k += 1) best = Math.min(best, this.rank(ids[k - 1], ids[k]));
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
    if (this.known.size >= CACHED_WORDS) this.known.clear();
    this.known.set(word, ids);
    return ids;
  }

  // Returns the bytes that a token adds to a text.
  bytesOf(id) {
    return this.bytes.subarray(this.starts[id], this.starts[id + 1]);
  }

  // Returns a token for display: its text, or its bytes in angle brackets if they are not text.
  label(id) {
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(this.bytesOf(id));
    } catch {
      return `<${Array.from(this.bytesOf(id), (byte) => byte.toString(16).padStart(2, "0")).join(" ")}>`;
    }
  }

  // Returns an incremental decoder: a function from an id to the text that it completes.
  letterByLetter() {
    const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
    return (id) => decoder.decode(this.bytesOf(id), { stream: true });
  }
}
