// Service worker: the page's files offline. build.py fills in `VERSION` and `FILES`; each version has its own cache, so
// old and new files are never mixed. Caches belong to an origin, which may have several pages, so a name ends with the
// page's scope, as in web/story/storage.js.

const VERSION = "{{VERSION}}",
  FILES = ["{{FILES}}"];
const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (globalThis));
const SCOPE = new URL(worker.registration.scope).pathname;
const CACHE = `inkling-${VERSION} ${SCOPE}`,
  MODELS = `inkling-models ${SCOPE}`;

worker.addEventListener("install", (event) => {
  const fresh = FILES.map((file) => new Request(file, { cache: "no-cache" }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

// A page requests the takeover when it is loaded (offline.js): during loading it would mix two versions, and in
// Chromium the script of a page's worker sometimes never arrived.
worker.addEventListener("message", () => worker.skipWaiting());

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.map(async (name) => (await isOld(name)) && caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

// Returns whether a cache belongs to another version of this page. Names of older versions have no scope: such a cache
// belongs to this page if it contains its address.
async function isOld(name) {
  if (!name.startsWith("inkling-") || name === CACHE || name === MODELS) return false;
  if (/^inkling-[0-9a-f]{12}$/.test(name))
    return Boolean(await (await caches.open(name)).match(worker.registration.scope));
  return name.endsWith(` ${SCOPE}`);
}

// Serves the version's files from its cache, and all others from the network.
worker.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  if (request.url.endsWith(".inkling")) return; // fetch_model.js caches the model
  event.respondWith(answer(request));
});

async function answer(request) {
  const cache = await caches.open(CACHE);
  const isPage = request.mode === "navigate";
  const kept = await cache.match(isPage ? "./" : request, { ignoreSearch: true });
  if (kept) return kept;
  const fetched = await fetch(request);
  if (fetched.ok && request.url.endsWith(".filter")) await cache.put(request, fetched.clone()); // few visitors need it
  return fetched;
}
