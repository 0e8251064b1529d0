// Makes the page available offline if the browser allows it. Call it when the page is loaded: a newer version of its
// files then takes over, and is shown at the next visit.

export async function keepOffline(root) {
  try {
    const registration = await navigator.serviceWorker?.register(new URL("sw.js", root), { scope: root.pathname });
    registration?.waiting?.postMessage("take over");
    registration?.addEventListener("updatefound", () => {
      const newer = registration.installing;
      newer.addEventListener("statechange", () => newer.state === "installed" && newer.postMessage("take over"));
    });
  } catch {
    /* a frame of another site, a private window, or a page without https: the page works without it */
  }
}
