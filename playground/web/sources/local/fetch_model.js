// The packed model's bytes: from this browser's own store if they lie there, else from the network. Bytes
// that are cut off or altered are never used.

import { inTime, scoped } from "../../story/storage.js";

// Another page of this origin has a cache of its own: each deletes what it does not need any more.
const OLD = "inkling-models",
  CACHE = scoped(OLD);
const LFS = "version https://git-lfs.github.com/spec/";

// Two sums over 32-bit words, as build.py makes them.
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
    return null; // a browser that keeps nothing, or a page without https
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

// Whether Git LFS has left a note in the file's place.
const isPointer = (content) => new TextDecoder().decode(content.subarray(0, LFS.length)) === LFS;

async function download(address, bytes, onProgress) {
  const content = new Uint8Array(bytes);
  let at = 0;
  try {
    const answer = await fetch(address, { cache: "no-cache" }); // a damaged one is not taken twice
    if (!answer.ok) throw new Error(String(answer.status));
    const reader = answer.body.getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (at + value.length > bytes) throw new Error("longer than it says");
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

// The model in the cache of an older version, whose name had no scope, if it lies there.
async function ofOlderVersion(address) {
  try {
    if (!(await caches.has(OLD))) return undefined;
    const old = await caches.open(OLD),
      found = await old.match(address);
    await old.delete(address);
    if (!(await old.keys()).length) await caches.delete(OLD);
    return found;
  } catch {
    return undefined;
  }
}

// Keeps this model and no other of this page.
async function keep(cache, address, content) {
  try {
    for (const { url } of (await cache?.keys()) ?? []) if (url !== address) await cache.delete(url);
    await cache?.put(address, new Response(content));
  } catch {
    /* no room: it is fetched again next time */
  }
}
