// A ZIP file of entries that are stored as they are (PKWARE's APPNOTE, sections 4.3.7, 4.3.12 and 4.3.16).

import { crc32 } from "../story/permalink.js";

const MADE = 0x21; // 1 January 1980: the same story is the same file
const UTF8 = 1 << 11;

// `files`: [name, text or bytes], in their order. A Blob of the type.
export function zip(files, type) {
  const encoder = new TextEncoder(),
    parts = [],
    entries = [];
  let at = 0;
  for (const [name, content] of files) {
    const data = typeof content === "string" ? encoder.encode(content) : content,
      letters = encoder.encode(name);
    // version, flags, method, time, date, checksum, size twice, letters of the name, no more fields
    const facts = [
      [20, 2],
      [UTF8, 2],
      [0, 2],
      [0, 2],
      [MADE, 2],
      [crc32(data), 4],
      [data.length, 4],
      [data.length, 4],
      [letters.length, 2],
      [0, 2],
    ];
    const head = bytes([[0x04034b50, 4], ...facts]);
    entries.push(bytes([[0x02014b50, 4], [20, 2], ...facts, [0, 2], [0, 2], [0, 2], [0, 4], [at, 4]]), letters);
    parts.push(head, letters, data);
    at += head.length + letters.length + data.length;
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

// Numbers of so many bytes each, the lowest first.
function bytes(numbers) {
  return Uint8Array.from(
    numbers.flatMap(([value, count]) => Array.from({ length: count }, (_, k) => (value >>> (8 * k)) & 255)),
  );
}
