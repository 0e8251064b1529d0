// A browser's storage for tests in Node: an origin with its databases and tabs, as far as the page uses them.
//
// A transaction is written whole or not at all; one of a page that is gone is not, unless commit() was called.

const later = (act) => setImmediate(act);

class Request {
  finish(result) {
    this.result = result;
    this.onsuccess?.();
  }

  fail(error) {
    this.error = error;
    this.onerror?.();
  }
}

class Transaction {
  constructor(page, database, mode) {
    Object.assign(this, { page, database, mode, work: [], isOver: false, isCommitted: false, error: null });
    database.queue.push(this);
    later(() => database.next());
  }

  objectStore(name) {
    const { keyPath } = this.database.stores.get(name);
    const rows = () => this.database.stores.get(name).rows;
    const ask = (act) => {
      if (this.isOver) throw Object.assign(new Error("it is over"), { name: "TransactionInactiveError" });
      const request = new Request();
      this.work.push([request, act]);
      return request;
    };
    return {
      transaction: this,
      get: (key) => ask(() => structuredClone(rows().get(key))),
      getAll: () => ask(() => structuredClone([...rows().values()])),
      put: (row) => {
        const copy = structuredClone(row);
        return ask(() => void rows().set(copy[keyPath], copy));
      },
      delete: (key) => ask(() => void rows().delete(key)),
    };
  }

  commit() {
    this.isCommitted = true;
  }

  abort(error = null) {
    if (this.isOver) throw new Error("it is over");
    this.isOver = true;
    this.error = error;
    for (const [name, rows] of this.before ?? []) this.database.stores.get(name).rows = rows;
    later(() => this.page.isGone || this.onabort?.());
  }

  run() {
    this.before ??= [...this.database.stores].map(([name, { rows }]) => [name, new Map(rows)]);
    if (this.page.isGone && !this.isCommitted && !this.isOver) this.abort();
    const next = this.isOver ? null : this.work.shift();
    if (next) {
      const [request, act] = next,
        result = act();
      if (!this.page.isGone) request.finish(result);
    } else if (!this.isOver) this.end();
    if (this.isOver) {
      this.database.queue.shift();
      later(() => this.database.next());
    } else later(() => this.run());
  }

  end() {
    if (this.mode === "readwrite" && this.database.size() > this.page.origin.room) {
      this.abort(Object.assign(new Error("full"), { name: "QuotaExceededError" }));
      return;
    }
    this.isOver = true;
    later(() => this.page.isGone || this.oncomplete?.());
  }
}

class Database {
  constructor() {
    this.stores = new Map();
    this.queue = [];
    this.running = null;
  }

  next() {
    const [first] = this.queue;
    if (!first || first === this.running) return;
    this.running = first;
    first.run();
  }

  size() {
    return [...this.stores.values()].reduce((sum, { rows }) => sum + JSON.stringify([...rows.values()]).length, 0);
  }
}

const area = (map) => ({
  getItem: (name) => map.get(name) ?? null,
  setItem: (name, text) => void map.set(name, String(text)),
  removeItem: (name) => void map.delete(name),
});

export class Origin {
  constructor() {
    this.databases = new Map();
    this.local = new Map();
    this.channels = new Set();
    this.room = Infinity; // letters that the databases may hold
    this.isMute = false; // whether tabs do not hear each other
    this.isSilent = false; // whether databases do not answer
    this.unanswered = [];
  }

  // What a page in a tab sees, as `globalThis` has it; `session` is the tab's own storage.
  page(session = new Map()) {
    const origin = this,
      page = { origin, isGone: false, session };
    const open = (name) => {
      const request = new Request();
      const reply = () => {
        let database = origin.databases.get(name);
        const handle = (opened) => ({
          createObjectStore: (store, { keyPath }) => void opened.stores.set(store, { keyPath, rows: new Map() }),
          transaction: (_, mode = "readonly") => new Transaction(page, opened, mode),
          close() {},
        });
        if (!database) {
          database = new Database();
          let isAborted = false;
          request.result = handle(database);
          request.transaction = { abort: () => (isAborted = true) };
          request.onupgradeneeded?.();
          if (isAborted) {
            request.fail(Object.assign(new Error("aborted"), { name: "AbortError" }));
            return;
          }
          origin.databases.set(name, database);
        }
        request.finish(handle(database));
      };
      if (origin.isSilent) origin.unanswered.push(reply);
      else later(reply);
      return request;
    };
    class BroadcastChannel {
      constructor(name) {
        this.name = name;
        this.hearers = new Set();
        origin.channels.add(this);
        this.page = page;
      }

      postMessage(data) {
        for (const other of origin.channels) {
          if (origin.isMute || other === this || other.name !== this.name || other.page.isGone) continue;
          queueMicrotask(() => {
            other.onmessage?.({ data });
            for (const hear of other.hearers) hear({ data });
          });
        }
      }

      addEventListener(_, hear) {
        this.hearers.add(hear);
      }

      removeEventListener(_, hear) {
        this.hearers.delete(hear);
      }
    }
    return Object.assign(page, {
      indexedDB: { open },
      BroadcastChannel,
      localStorage: area(this.local),
      sessionStorage: area(session),
    });
  }
}

// Time in the tests: what waits for an answer within the blink of an eye goes on at once; longer waits end when
// `pass` is called.
export class Time {
  constructor() {
    this.waiting = new Map();
    this.count = 0;
    globalThis.setTimeout = (act, time = 0) => {
      if (time < 100) setImmediate(() => setImmediate(act));
      else this.waiting.set((this.count += 1), [act, time]);
      return time < 100 ? 0 : this.count;
    };
    globalThis.clearTimeout = (timer) => this.waiting.delete(timer);
  }

  // Ends all waits of at most `time` ms.
  pass(time) {
    for (const [timer, [act, wait]] of [...this.waiting]) {
      if (wait > time) continue;
      this.waiting.delete(timer);
      act();
    }
  }
}

// Until nothing is under way any more.
export async function settled(turns = 40) {
  for (let k = 0; k < turns; k += 1) await new Promise((resolve) => setImmediate(resolve));
}
