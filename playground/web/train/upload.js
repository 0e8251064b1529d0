// Files that were dropped or chosen: which of them hold stories, and under which names they are kept.

const ENDINGS = /\.(jsonl|json|csv|tsv|txt|parquet|arrow|zip|tar|tgz)(\.(gz|zst|xz|bz2))?$|\.(gz|zst|xz|bz2)$/i;

/**
 * Returns the files to send, each with the name that it gets, and the names of the others.
 * @param {{ path: string, file: any }[]} found
 */
export function plan(found) {
  const taken = [],
    left = [];
  for (const { path, file } of found) {
    const parts = path.split("/").filter(Boolean);
    if (parts.some((part) => part.startsWith("."))) continue; // hidden files of the system
    if (ENDINGS.test(path)) taken.push({ name: fileName(parts.join("-")), file });
    else left.push(path);
  }
  return { taken, left };
}

/** A name as a file of a set may have it. */
export function fileName(path) {
  const plain = path.replace(/[^\p{L}\p{N}._ -]/gu, "_").replace(/^[^\p{L}\p{N}]+/u, "");
  return plain.slice(-64).replace(/^[^\p{L}\p{N}]+/u, "") || "stories.txt";
}

/**
 * Returns pasted text as JSON Lines: a story for each part between empty lines.
 * @param {string} text
 */
export const linesOf = (text) =>
  text
    .split(/\r?\n[^\S\n]*\r?\n/)
    .map((story) => story.trim())
    .filter(Boolean)
    .map((story) => `${JSON.stringify({ text: story })}\n`)
    .join("");

/** The name of a set of stories, from that of a folder or file: "my-stories". */
export function setName(path) {
  const [first] = path.split("/").filter(Boolean);
  const plain = (first ?? "")
    .normalize("NFD")
    .replace(/\p{M}/gu, "")
    .replace(/\.[a-z.]+$/i, "")
    .replace(/[^A-Za-z0-9._-]+/g, "-")
    .replace(/^[^A-Za-z0-9]+|-+$/g, "");
  return plain.slice(0, 64) || "my-stories";
}

/**
 * Returns all files below what was dropped, with their paths.
 * @param {DataTransfer} dropped
 */
export async function filesOf(dropped) {
  const entries = [...dropped.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return (await Promise.all(entries.map(below))).flat();
}

async function below(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath, file }];
  }
  const reader = entry.createReader(),
    found = [];
  for (;;) {
    const more = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!more.length) return found;
    found.push(...(await Promise.all(more.map(below))).flat()); // a browser gives a hundred at once
  }
}
