// A ZIP file of uncompressed entries (PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16).

import { crc32 } from "../story/permalink.js";

const DATE = 0x21; // 1 January 1980: constant, so that the same story gives the same file
const UTF8 = 1 << 11;

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
    const facts = [
      [20, 2],
      [UTF8, 2],
      [0, 2],
      [0, 2],
      [DATE, 2],
      [crc32(data), 4],
      [data.length, 4],
      [data.length, 4],
      [nameBytes.length, 2],
      [0, 2],
    ];
    const head = bytes([[0x04034b50, 4], ...facts]);
    entries.push(bytes([[0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]]), nameBytes);
    parts.push(head, nameBytes, data);
    at += head.length + nameBytes.length + data.length;
  }
  const size = entries.reduce((sum, part) => sum + part.length, 0);
  const end = [
    [0x06054b50, 4],
    [0, 2],
    [0, 2],
    [files.length, 2],
    [files.length, 2],
    [size, 4],
    [at, 4],
    [0, 2],
  ];
  return new Blob([...parts, ...entries, bytes(end)], { type });
}

// Returns [number, its bytes] pairs as bytes, little-endian.
function bytes(numbers) {
  return Uint8Array.from(
    numbers.flatMap(([value, count]) => Array.from({ length: count }, (_, k) => (value >>> (8 * k)) & 255)),
  );
}
