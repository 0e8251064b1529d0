// Keeps the page for a visit without a connection, where the browser allows it.

export async function keepOffline(root) {
  try {
    await navigator.serviceWorker?.register(new URL("sw.js", root), { scope: root.pathname });
  } catch { /* a frame of another site, a private window, a page without https: it works without */ }
}
