// Finds the 8-word runs of a story in a filter of the training stories, without a server. The file's format is in
// docs/trace.md; playground/trace/run_filter.py reads it in the same way, and tests/web/vectors.json holds both to it.

const WORD = /[\p{L}\p{N}]+(?:['’][\p{L}\p{N}]+)*/gu;
const BITS = (1n << 64n) - 1n,
  FNV_START = 0xcbf29ce484222325n,
  FNV_PRIME = 0x100000001b3n,
  MURMUR = [0xff51afd7ed558ccdn, 0xc4ceb9fe1a85ec53n];

// The 64-bit FNV-1a hash of bytes, or of other numbers.
const fnv = (numbers) => numbers.reduce((hash, one) => ((hash ^ BigInt(one)) * FNV_PRIME) & BITS, FNV_START);

// The hash of each run of `size` words: FNV-1a of the words' hashes, then the upper half of MurmurHash3's finalizer.
export function runHashes(words, size) {
  const encoder = new TextEncoder();
  const each = words.map((word) => fnv([...encoder.encode(word)]));
  return each.slice(0, Math.max(0, each.length - size + 1)).map((_, first) => {
    let hash = fnv(each.slice(first, first + size));
    for (const factor of MURMUR) hash = ((hash ^ (hash >> 33n)) * factor) & BITS;
    return Number((hash ^ (hash >> 33n)) >> 32n);
  });
}

export class RunFilter {
  // `content`: the file's bytes, a Uint8Array or a Blob. Throws if they are damaged.
  static async read(content) {
    const stream = new Blob([content]).stream().pipeThrough(new DecompressionStream("gzip"));
    const bytes = new Uint8Array(await new Response(stream).arrayBuffer());
    const start = bytes.indexOf(10) + 1; // after the line of JSON
    const about = JSON.parse(new TextDecoder().decode(bytes.subarray(0, start)));
    const { format, hashes: count } = about;
    if (format !== 1 || bytes.length !== start + 4 * count) throw new Error("another format");
    const hashes = new Uint32Array(count);
    for (let k = 0, sum = 0; k < count; k += 1) {
      // The differences' lowest bytes come first, then the next: four planes.
      for (let plane = 0; plane < 4; plane += 1) sum += bytes[start + plane * count + k] * 2 ** (8 * plane);
      hashes[k] = sum;
    }
    return new RunFilter(about, hashes);
  }

  // `about`: the file's first line; `hashes`: of the runs, sorted.
  constructor(about, hashes) {
    this.about = about;
    this.hashes = hashes;
  }

  has(hash) {
    let low = 0,
      high = this.hashes.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.hashes[middle] < hash) low = middle + 1;
      else high = middle;
    }
    return this.hashes[low] === hash;
  }

  // Returns the runs of a text that stand in the training stories, as playground/trace/copied.py does, in UTF-16 code
  // units.
  trace(text) {
    const { words: size, stride, corpus, held_out, false_positives } = this.about;
    const spans = Array.from(text.matchAll(WORD), ({ 0: word, index }) => [index, index + word.length]);
    const words = spans.map(([start, end]) => text.slice(start, end).toLowerCase());
    const hashes = runHashes(words, size);
    const merged = []; // [first word, the one after the last]
    hashes.forEach((hash, first) => {
      if (!this.has(hash)) return;
      const last = merged.at(-1);
      if (last && first < last[1]) last[1] = first + size;
      else merged.push([first, first + size]);
    });
    const runs = merged.map(([first, end]) => ({
      start: spans[first][0],
      end: spans[end - 1][1],
      words: end - first,
      rarity: null,
      stories: null,
      sources: [],
    }));
    const copied = merged.reduce((sum, [first, end]) => sum + end - first, 0);
    const share = spans.length ? copied / spans.length : 0;
    const certain = size + stride - 1;
    return { text, runs, words: spans.length, copied, share, corpus, held_out, certain, false_positives };
  }
}
