// All access to the browser's storage. Each part may be denied (blocked cookies, a frame of another site), missing or
// full; only `database` throws for that reason.
//
// Pages of one origin (you.github.io/a and /b) do not share data: every name contains the page's scope, which is its
// path. Names of older versions, without a scope, are still read.

const SCOPE = scopeOf(import.meta.url);

function scopeOf(address) {
  try {
    return new URL("../../", address).pathname;
  } catch {
    return "/"; // in a story's HTML file (files.js) modules have no path and store nothing
  }
}

// A path has no spaces, so a scope cannot be mistaken for a part of a name.
export const scoped = (name, scope = SCOPE) => `${name} ${scope}`;

const TIMEOUT = 3000; // ms after which the page continues without the browser's storage

export const inTime = (promise) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), TIMEOUT))]);

// localStorage or sessionStorage. A value that the browser refuses is kept in memory until the page closes.
class Area {
  constructor(find, scope) {
    this.find = find;
    this.scope = scope;
    this.memory = new Map();
  }

  get(name) {
    if (this.memory.has(name)) return this.memory.get(name);
    try {
      const area = this.find();
      return area.getItem(scoped(name, this.scope)) ?? area.getItem(name);
    } catch {
      return null;
    }
  }

  // Sets a value; returns whether the browser stored it.
  set(name, text) {
    try {
      this.find().setItem(scoped(name, this.scope), text);
      this.memory.delete(name);
      return true;
    } catch {
      this.memory.set(name, text);
      return false;
    }
  }

  // Returns the value of a JSON text, or null.
  value(name) {
    try {
      return JSON.parse(this.get(name));
    } catch {
      return null;
    }
  }

  remove(name) {
    this.memory.delete(name);
    try {
      const area = this.find();
      area.removeItem(scoped(name, this.scope));
      area.removeItem(name);
    } catch {
      /* then nothing is stored */
    }
  }
}

export class Storage {
  // `browser`: the object with indexedDB, localStorage, ...
  constructor(scope = SCOPE, browser = globalThis) {
    this.scope = scope;
    this.browser = browser;
    this.local = new Area(() => browser.localStorage, scope); // of all tabs
    this.tab = new Area(() => browser.sessionStorage, scope); // of this tab, also after a reload
  }

  // Opens a database of this page, or of an older version, whose name has no scope. Rejects if the browser has no
  // database; may never resolve.
  database(name, upgrade, isScoped = true) {
    return new Promise((resolve, reject) => {
      const opening = this.browser.indexedDB.open(isScoped ? scoped(name, this.scope) : name, 1);
      opening.onupgradeneeded = () => upgrade(opening.result, opening.transaction);
      opening.onsuccess = () => {
        opening.result.onversionchange = () => opening.result.close();
        resolve(opening.result);
      };
      opening.onerror = () => reject(opening.error);
    });
  }

  // Returns a channel to this page's other tabs; a silent one if the browser has none.
  channel(name) {
    try {
      return new this.browser.BroadcastChannel(scoped(name, this.scope));
    } catch {
      return { postMessage() {} };
    }
  }
}

export const storage = new Storage();
