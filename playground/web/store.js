// Keeps a tab's story in this browser: a reload, the back button, a lost connection or a restarted
// server lose nothing. Every tab has a story of its own; a new tab begins with a copy of the last one.

const DATABASE = "inkling", STORE = "stories", FORMAT = 1, KEPT = 30;
const LEFT = "inkling-left"; // in sessionStorage

const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Store {
  // Opens the database; without one (a private window may refuse) nothing is kept.
  static async open() {
    const store = new Store();
    try {
      const opening = indexedDB.open(DATABASE, FORMAT);
      opening.onupgradeneeded = () => opening.result.createObjectStore(STORE, { keyPath: "id" });
      store.database = await answer(opening);
    } catch {
      store.database = null;
    }
    await store.takeName();
    return store;
  }

  // This tab's name; a duplicated tab has its original's, and takes another one.
  async takeName() {
    const kept = sessionStorage.getItem(DATABASE);
    this.id = kept ?? crypto.getRandomValues(new Uint32Array(2)).join("-");
    this.isNew = kept === null;
    this.channel = new BroadcastChannel(DATABASE);
    if (!this.isNew) {
      const taken = new Promise((resolve) => {
        this.channel.onmessage = ({ data }) => data.taken === this.id && resolve(true);
        setTimeout(() => resolve(false), 60);
      });
      this.channel.postMessage({ asks: this.id });
      if (await taken) {
        this.copied = this.id;
        this.id = crypto.getRandomValues(new Uint32Array(2)).join("-");
      }
    }
    this.channel.onmessage = ({ data }) => {
      if (data.asks === this.id) this.channel.postMessage({ taken: this.id });
    };
    sessionStorage.setItem(DATABASE, this.id);
  }

  rows(mode = "readonly") {
    return this.database.transaction(STORE, mode).objectStore(STORE);
  }

  // What was kept for this tab, or a copy of the newest story, or null.
  async load() {
    const left = JSON.parse(sessionStorage.getItem(LEFT));
    sessionStorage.removeItem(LEFT);
    if (!this.database) return left?.value ?? null;
    const own = await answer(this.rows().get(this.copied ?? this.id));
    if (left && !(own?.at > left.at)) return left.value;
    if (own) return own.value;
    const all = await answer(this.rows().getAll());
    all.sort((one, other) => other.at - one.at);
    for (const { id } of all.slice(KEPT)) await answer(this.rows("readwrite").delete(id));
    return all[0]?.value ?? null;
  }

  // Keeps a value, the newest of those that come in quick succession.
  save(value) {
    this.waiting = value;
    this.timer ??= setTimeout(() => this.flush(), 300);
  }

  // The page is being left: the database may write too late for the page that comes, so this tab's
  // own storage, which does so at once, has it too if it is not too large.
  leave() {
    if (this.waiting === undefined) return;
    try {
      sessionStorage.setItem(LEFT, JSON.stringify({ at: Date.now(), value: this.waiting }));
    } catch { /* larger than it takes */ }
    this.flush();
  }

  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    if (!this.database || this.waiting === undefined) return;
    const rows = this.rows("readwrite");
    rows.put({ id: this.id, at: Date.now(), value: this.waiting });
    rows.transaction.commit(); // a page that is left gets no event any more that would commit by itself
    this.waiting = undefined;
  }
}
