// Files that were dropped or chosen: which of them are uploaded, and under which names.

const ENDINGS = /\.(jsonl|json|csv|tsv|txt|parquet|arrow|zip|tar|tgz)(\.(gz|zst|xz|bz2))?$|\.(gz|zst|xz|bz2)$/i;

/**
 * Returns the files to upload with their new names, and the paths of the others.
 * @param {{ path: string, file: any }[]} files
 */
export function plan(files) {
  const taken = [],
    left = [];
  for (const { path, file } of files) {
    const parts = path.split("/").filter(Boolean);
    if (parts.some((part) => part.startsWith("."))) continue; // hidden files
    if (ENDINGS.test(path)) taken.push({ name: fileName(parts.join("-")), file });
    else left.push(path);
  }
  return { taken, left };
}

/** Returns a valid name for a file of a set. */
export function fileName(path) {
  const plain = path.replace(/[^\p{L}\p{N}._ -]/gu, "_").replace(/^[^\p{L}\p{N}]+/u, "");
  return plain.slice(-64).replace(/^[^\p{L}\p{N}]+/u, "") || "stories.txt";
}

/**
 * Returns pasted text as JSON Lines, one story per part between empty lines.
 * @param {string} text
 */
export const linesOf = (text) =>
  text
    .split(/\r?\n[^\S\n]*\r?\n/)
    .map((story) => story.trim())
    .filter(Boolean)
    .map((story) => `${JSON.stringify({ text: story })}\n`)
    .join("");

/** Returns the name of a set of stories, such as "my-stories", from that of a folder or file. */
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
 * Returns all dropped files, also those in folders, with their paths.
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
    files = [];
  for (;;) {
    const batch = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // 100 at most
    if (!batch.length) return files;
    files.push(...(await Promise.all(batch.map(below))).flat());
  }
}
