// A link as a QR code (ISO/IEC 18004), level L, byte mode: what playground/stories/qr.py draws with segno.

const QUIET = 4; // modules of white around it, as the standard asks
const LETTERS_MAX = 2_953; // bytes that the largest code holds
// Of level L, for versions 1 to 40: bytes of correction in a block, and how many blocks there are (table 9).
const CORRECTION = [
  7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30,
  30, 30, 30, 30, 30, 30, 30, 30, 30, 30,
];
const BLOCKS = [
  1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19,
  20, 21, 22, 24, 25,
];
const MASKS = [
  (r, c) => (r + c) % 2,
  (r) => r % 2,
  (_, c) => c % 3,
  (r, c) => (r + c) % 3,
  (r, c) => (Math.floor(r / 2) + Math.floor(c / 3)) % 2,
  (r, c) => ((r * c) % 2) + ((r * c) % 3),
  (r, c) => (((r * c) % 2) + ((r * c) % 3)) % 2,
  (r, c) => (((r + c) % 2) + ((r * c) % 3)) % 2,
];

// Whether a link is short enough for a code.
export const fits = (link) => link.length > 0 && new TextEncoder().encode(link).length <= LETTERS_MAX;

// The code as rows of 0 and 1, without the white around it.
export function modules(link) {
  const bytes = new TextEncoder().encode(link);
  let version = 1;
  while (version <= 40 && bytes.length > capacity(version)) version += 1;
  if (version > 40) throw new RangeError(`a QR code holds at most ${LETTERS_MAX} letters`);
  const code = withPatterns(version);
  place(code, interleaved(dataOf(bytes, version), version));
  let best = null,
    least = Infinity,
    chosen = 0;
  for (let mask = 0; mask < MASKS.length; mask += 1) {
    const rows = masked(code, mask);
    const found = penalty(rows); // level, mask and version are written after the choice (section 7.8)
    if (found < least) [best, least, chosen] = [rows, found, mask];
  }
  writeFormat(best, withRemainder(8 | chosen, 0x537, 10) ^ 0x5412, 1); // 01 is level L
  if (version > 6) writeVersion(best, withRemainder(version, 0x1f25, 12));
  return best;
}

// The code as an SVG without a size of its own, with the white around it.
export function svg(link) {
  const rows = modules(link),
    size = rows.length + 2 * QUIET;
  const path = rows.flatMap((row, y) =>
    Array.from(row, (dark, x) => (dark ? `M${x + QUIET} ${y + QUIET}h1v1h-1z` : "")),
  );
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${size} ${size}" shape-rendering="crispEdges">` +
    `<path fill="#ffffff" d="M0 0h${size}v${size}H0z"/><path d="${path.join("")}"/></svg>`
  );
}

// Draws the code with its right lower corner at (right, bottom), about `wanted` pixels wide: whole pixels a
// module, so that a camera sees edges, and two at least. Its width in pixels.
export function draw(on, link, right, bottom, wanted) {
  const rows = modules(link),
    size = rows.length + 2 * QUIET;
  const scale = Math.max(2, Math.floor(wanted / size)),
    width = scale * size;
  on.fillStyle = "#ffffff";
  on.fillRect(right - width, bottom - width, width, width);
  on.fillStyle = "#000000";
  rows.forEach((row, y) =>
    row.forEach((dark, x) => {
      if (dark) on.fillRect(right - width + (x + QUIET) * scale, bottom - width + (y + QUIET) * scale, scale, scale);
    }),
  );
  return width;
}

// Bytes of all data and correction: the modules that no pattern takes.
function rawBytes(version) {
  const marks = Math.floor(version / 7) + 2;
  let bits = (16 * version + 128) * version + 64;
  if (version > 1) bits -= (25 * marks - 10) * marks - 55;
  if (version > 6) bits -= 36;
  return Math.floor(bits / 8);
}

const dataBytes = (version) => rawBytes(version) - CORRECTION[version - 1] * BLOCKS[version - 1];

// Letters that fit: 4 bits name the mode, 8 or 16 the length.
const capacity = (version) => dataBytes(version) - (version < 10 ? 2 : 3);

// Mode, length, bytes, and the padding up to the version's size.
function dataOf(bytes, version) {
  const bits = [],
    push = (value, count) => {
      for (let k = count - 1; k >= 0; k -= 1) bits.push((value >> k) & 1);
    };
  push(4, 4);
  push(bytes.length, version < 10 ? 8 : 16);
  for (const byte of bytes) push(byte, 8);
  push(0, Math.min(4, 8 * dataBytes(version) - bits.length));
  // segno puts one byte of zeros before the padding: no reader looks there, and the two codes stay the same.
  push(0, Math.min(8, 8 * dataBytes(version) - bits.length));
  const found = [];
  for (let k = 0; k < bits.length; k += 8) found.push(parseInt(bits.slice(k, k + 8).join(""), 2));
  for (let pad = 236; found.length < dataBytes(version); pad ^= 236 ^ 17) found.push(pad);
  return found;
}

// Multiplication in the field of 256 elements, of x^8 + x^4 + x^3 + x^2 + 1.
function times(one, other) {
  let product = 0;
  for (let k = 7; k >= 0; k -= 1) {
    product = (product << 1) ^ ((product >> 7) * 0x11d);
    product ^= ((other >> k) & 1) * one;
  }
  return product;
}

// The Reed-Solomon remainder of a block.
function correction(block, count) {
  const divisor = new Uint8Array(count); // its highest coefficient, 1, is left out
  divisor[count - 1] = 1;
  for (let k = 0, root = 1; k < count; k += 1, root = times(root, 2)) {
    for (let n = 0; n < count; n += 1) divisor[n] = times(divisor[n], root) ^ (divisor[n + 1] ?? 0);
  }
  const rest = Array(count).fill(0);
  for (const byte of block) {
    const factor = byte ^ rest.shift();
    rest.push(0);
    divisor.forEach((coefficient, n) => {
      rest[n] ^= times(coefficient, factor);
    });
  }
  return rest;
}

// The blocks with their correction, a byte of each in turn. The last blocks are a byte longer.
function interleaved(data, version) {
  const count = BLOCKS[version - 1],
    short = Math.floor(data.length / count),
    longer = data.length % count;
  const blocks = [];
  for (let k = 0, from = 0; k < count; k += 1) {
    const length = short + (k >= count - longer ? 1 : 0);
    blocks.push(data.slice(from, from + length));
    from += length;
  }
  const rests = blocks.map((block) => correction(block, CORRECTION[version - 1])),
    found = [];
  for (const group of [blocks, rests]) {
    for (let k = 0; k <= short || k < CORRECTION[version - 1]; k += 1) {
      for (const block of group) if (k < block.length) found.push(block[k]);
    }
  }
  return found;
}

// Rows with the patterns that are the same in every code of a version; null where data goes.
function withPatterns(version) {
  const size = 17 + 4 * version;
  const rows = Array.from({ length: size }, () => Array(size).fill(null));
  const square = (row, column, reach, dark) => {
    for (let r = -reach; r <= reach; r += 1) {
      for (let c = -reach; c <= reach; c += 1) {
        if (rows[row + r]?.[column + c] !== undefined)
          rows[row + r][column + c] = dark(Math.max(Math.abs(r), Math.abs(c)));
      }
    }
  };
  for (let k = 0; k < size; k += 1) rows[6][k] = rows[k][6] = (k + 1) % 2; // timing
  const marks = alignments(version);
  for (const row of marks) {
    for (const column of marks) {
      const isFinder =
        (row === 6 && (column === 6 || column === marks.at(-1))) || (column === 6 && row === marks.at(-1));
      if (!isFinder) square(row, column, 2, (ring) => Number(ring !== 1));
    }
  }
  for (const [row, column] of [
    [3, 3],
    [3, size - 4],
    [size - 4, 3],
  ])
    square(row, column, 4, (ring) => Number(ring !== 2 && ring !== 4));
  writeFormat(rows, 0, 0); // room for what is written at the end
  if (version > 6) writeVersion(rows, 0);
  return rows;
}

// Where the small squares are, in rows and columns alike.
function alignments(version) {
  if (version === 1) return [];
  const count = Math.floor(version / 7) + 2,
    last = 10 + 4 * version;
  const step = version === 32 ? 26 : 2 * Math.ceil((last - 6) / (2 * count - 2));
  return [6, ...Array.from({ length: count - 1 }, (_, k) => last - (count - 2 - k) * step)];
}

// Bits with the remainder of a division by a polynomial behind them.
function withRemainder(value, polynomial, count) {
  let rest = value;
  for (let k = 0; k < count; k += 1) rest = (rest << 1) ^ ((rest >> (count - 1)) * polynomial);
  return (value << count) | (rest & ((1 << count) - 1));
}

// Level and mask, twice, and the module beside them that is dark in every code.
function writeFormat(rows, bits, dark) {
  const size = rows.length;
  for (let k = 0; k < 15; k += 1) {
    const bit = (bits >> k) & 1;
    if (k < 6) rows[k][8] = bit;
    else if (k < 8) rows[k + 1][8] = bit;
    else rows[8][k === 8 ? 7 : 14 - k] = bit;
    if (k < 8) rows[8][size - 1 - k] = bit;
    else rows[size - 15 + k][8] = bit;
  }
  rows[size - 8][8] = dark;
}

function writeVersion(rows, bits) {
  const size = rows.length;
  for (let k = 0; k < 18; k += 1) {
    const near = Math.floor(k / 3),
      far = size - 11 + (k % 3),
      bit = (bits >> k) & 1;
    rows[near][far] = rows[far][near] = bit;
  }
}

// Bits go up and down in pairs of columns, from the right, around what is there. `code` keeps them as 2 and
// 3, which a mask may turn.
function place(code, bytes) {
  const size = code.length;
  let k = 0,
    up = true;
  for (let right = size - 1; right > 0; right -= 2) {
    if (right === 6) right = 5; // the column of the timing pattern
    for (let n = 0; n < size; n += 1) {
      const row = up ? size - 1 - n : n;
      for (const column of [right, right - 1]) {
        if (code[row][column] !== null) continue;
        code[row][column] = 2 + ((bytes[k >> 3] >> (7 - (k & 7))) & 1); // nothing behind the last is 0
        k += 1;
      }
    }
    up = !up;
  }
}

function masked(code, mask) {
  return code.map((row, r) =>
    row.map((value, c) => (value > 1 ? (value & 1) ^ Number(MASKS[mask](r, c) === 0) : value)),
  );
}

// How hard a code is to read (section 7.8.3.1).
function penalty(rows) {
  const size = rows.length,
    columns = rows.map((_, c) => rows.map((row) => row[c]));
  let found = 0,
    dark = 0;
  for (const line of [...rows, ...columns]) {
    const text = line.join("");
    for (const [run] of text.matchAll(/0{5,}|1{5,}/g)) found += run.length - 2;
    for (let at = text.indexOf("1011101"); at >= 0; ) {
      const before = text.slice(Math.max(0, at - 4), at),
        after = text.slice(at + 7, at + 11);
      const counts = !before.includes("1") || !after.includes("1"); // white goes on beyond the edge
      if (counts) found += 40;
      at = text.indexOf("1011101", at + (counts ? 7 : 4)); // one that counts shares nothing with the next
    }
  }
  for (let r = 0; r < size; r += 1) {
    for (let c = 0; c < size; c += 1) {
      dark += rows[r][c];
      if (r && c && rows[r][c] === rows[r - 1][c] && rows[r][c] === rows[r][c - 1] && rows[r][c] === rows[r - 1][c - 1])
        found += 3;
    }
  }
  return found + 10 * Math.floor(Math.abs((100 * dark) / size ** 2 - 50) / 5);
}
