// Keeps the page for a visit without a connection, where the browser allows it. Called by a page that is
// loaded: a newer version of its files takes over then, and is seen at the next visit.

export async function keepOffline(root) {
  try {
    const found = await navigator.serviceWorker?.register(new URL("sw.js", root), { scope: root.pathname });
    found?.waiting?.postMessage("take over");
    found?.addEventListener("updatefound", () => {
      const newer = found.installing;
      newer.addEventListener("statechange", () => newer.state === "installed" && newer.postMessage("take over"));
    });
  } catch {
    /* a frame of another site, a private window, a page without https: it works without */
  }
}
