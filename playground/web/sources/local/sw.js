// The page's files for a visit without a connection. `VERSION` and `FILES` are filled in when the page is
// built (build.py); another version is another cache, so old files are never mixed with new ones. Caches belong to
// an origin, which may hold several pages: a name ends in the page's scope, as in web/story/storage.js.

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

// A page asks for it once it is loaded (offline.js): a change of workers while files are on their way
// mixes two versions, and Chromium has been seen to wait for ever for the script of a page's worker.
worker.addEventListener("message", () => worker.skipWaiting());

worker.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.map(async (name) => (await isOld(name)) && caches.delete(name))))
      .then(() => worker.clients.claim()),
  );
});

// Whether a cache is this page's, of another version. Names of older versions have no scope: such a cache is this
// page's if it holds its address.
async function isOld(name) {
  if (!name.startsWith("inkling-") || name === CACHE || name === MODELS) return false;
  if (/^inkling-[0-9a-f]{12}$/.test(name))
    return Boolean(await (await caches.open(name)).match(worker.registration.scope));
  return name.endsWith(` ${SCOPE}`);
}

// The newest page where there is a connection; its files, which a version pins, from the cache.
worker.addEventListener("fetch", (event) => {
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
  const fetched = await fetch(request);
  if (fetched.ok && request.url.endsWith(".filter")) await cache.put(request, fetched.clone()); // few visitors need it
  return fetched;
}
