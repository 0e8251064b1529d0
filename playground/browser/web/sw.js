// The page's files for a visit without a connection. `VERSION` and `FILES` are filled in when the page is
// built (build.py); another version is another cache, so old files are never mixed with new ones.

const VERSION = "{{VERSION}}", FILES = {{FILES}};
const CACHE = `inkling-${VERSION}`, MODELS = "inkling-models";

addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

// A page asks for it once it is loaded (offline.js): a change of workers while files are on their way
// mixes two versions, and Chromium has been seen to wait for ever for the script of a page's worker.
addEventListener("message", () => skipWaiting());

addEventListener("activate", (event) => {
  const isOld = (name) => name.startsWith("inkling-") && name !== CACHE && name !== MODELS;
  event.waitUntil(caches.keys()
    .then((names) => Promise.all(names.filter(isOld).map((name) => caches.delete(name))))
    .then(() => clients.claim()));
});

// The newest page where there is a connection; its files, which a version pins, from the cache.
addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  if (request.url.endsWith(".inkling")) return; // the worker keeps the model by itself
  event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const isPage = request.mode === "navigate";
  const kept = await cache.match(isPage ? "./" : request, { ignoreSearch: true });
  if (kept) return kept;
  return fetch(request);
}
