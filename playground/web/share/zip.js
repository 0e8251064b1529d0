// A ZIP file of uncompressed entries (PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16).

import { crc32 } from "../story/permalink.js";

const DATE = 0x21; // 1 January 1980: constant, so that the same story gives the same file
const UTF8 = 1 << 11;
const FACTS = "2222244422"; // bytes of each fact about an entry

// Returns a Blob of the type. `files`: [name, text or bytes] in order.
export function zip(files, type) {
  const encoder = new TextEncoder(),
    parts = [],
    entries = [];
  let at = 0;
  for (const [name, content] of files) {
    const data = typeof content === "string" ? encoder.encode(content) : content,
      nameBytes = encoder.encode(name);
    // version, flags, method, time, date, checksum, size twice, length of the name, no extra fields
    const facts = [20, UTF8, 0, 0, DATE, crc32(data), data.length, data.length, nameBytes.length, 0];
    const head = bytes(`4${FACTS}`, [0x04034b50, ...facts]);
    entries.push(bytes(`42${FACTS}22244`, [0x02014b50, 20, ...facts, 0, 0, 0, 0, at]), nameBytes);
    parts.push(head, nameBytes, data);
    at += head.length + nameBytes.length + data.length;
  }
  const size = entries.reduce((sum, part) => sum + part.length, 0);
  const end = bytes("42222442", [0x06054b50, 0, 0, files.length, files.length, size, at, 0]);
  return new Blob([...parts, ...entries, end], { type });
}

// Returns numbers as bytes, little-endian; `sizes`: the number of bytes of each, a digit.
function bytes(sizes, numbers) {
  return Uint8Array.from(
    numbers.flatMap((value, n) => Array.from({ length: Number(sizes[n]) }, (_, k) => (value >>> (8 * k)) & 255)),
  );
}
