// Loads the packed model, from this browser's cache or from the network, and verifies its checksum.

import { inTime, scoped } from "../../story/storage.js";

// Each page of this origin has a cache of its own, since it deletes entries that it does not need.
const OLD = "inkling-models",
  CACHE = scoped(OLD);
const LFS = "version https://git-lfs.github.com/spec/";

// Two sums over 32-bit words, as in build.py.
export function checksumOf(content) {
  const words = new Uint32Array(content.buffer, content.byteOffset, Math.floor(content.length / 4));
  let sum = 0,
    weighted = 0;
  for (let k = 0; k < words.length; k += 1) {
    sum = (sum + words[k]) | 0;
    weighted = (weighted + Math.imul(words[k], k + 1)) | 0;
  }
  return `${sum >>> 0}-${weighted >>> 0}`;
}

const isGood = (content, bytes, checksum) => content.length === bytes && checksumOf(content) === checksum;

async function store() {
  try {
    return await inTime(caches.open(CACHE));
  } catch {
    return null; // storage is blocked, or the page has no https
  }
}

// Throws an Error "network", "damaged" or "pointer". `onProgress` is called with the bytes so far.
export async function fetchModel(address, bytes, checksum, onProgress) {
  const cache = await store();
  const kept = (await cache?.match(address)) ?? (await ofOlderVersion(address));
  if (kept) {
    const content = new Uint8Array(await kept.arrayBuffer());
    if (isGood(content, bytes, checksum)) {
      onProgress(bytes);
      if (!(await cache?.match(address))) await keep(cache, address, content);
      return content;
    }
    await cache?.delete(address);
  }
  const content = await download(address, bytes, onProgress);
  if (!isGood(content, bytes, checksum)) throw new Error("damaged");
  await keep(cache, address, content);
  return content;
}

// Whether the file is a Git LFS pointer.
const isPointer = (content) => new TextDecoder().decode(content.subarray(0, LFS.length)) === LFS;

async function download(address, bytes, onProgress) {
  const content = new Uint8Array(bytes);
  let at = 0;
  try {
    const response = await fetch(address, { cache: "no-cache" }); // the HTTP cache may have a damaged file
    if (!response.ok) throw new Error(String(response.status));
    const reader = response.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > bytes) throw new Error("too long");
      content.set(value, at);
      at += value.length;
      onProgress(at);
    }
  } catch {
    throw new Error("network");
  }
  if (at < bytes) throw new Error(isPointer(content) ? "pointer" : "network"); // the connection was cut
  return content;
}

// Moves the model out of the cache of an older version, whose name had no scope; undefined if it is not there.
async function ofOlderVersion(address) {
  try {
    if (!(await caches.has(OLD))) return undefined;
    const old = await caches.open(OLD),
      response = await old.match(address);
    await old.delete(address);
    if (!(await old.keys()).length) await caches.delete(OLD);
    return response;
  } catch {
    return undefined;
  }
}

// Caches this model as the only one of this page.
async function keep(cache, address, content) {
  try {
    for (const { url } of (await cache?.keys()) ?? []) if (url !== address) await cache.delete(url);
    await cache?.put(address, new Response(content));
  } catch {
    /* storage is full: the next visit downloads it again */
  }
}
