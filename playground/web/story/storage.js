// All that the page asks of the browser's storage. Every part of it may be denied (blocked cookies, a frame
// of another site), missing, or full; nothing here throws for that reason but `database`.
//
// Two pages of one origin (you.github.io/a and /b) keep nothing in common: every name carries the page's
// scope, which is its path. Names without a scope, of older versions, are still read.

const SCOPE = scopeOf(import.meta.url);

function scopeOf(address) {
  try {
    return new URL("../../", address).pathname;
  } catch {
    return "/"; // in a story's HTML file (files.js) modules have no path, and keep nothing
  }
}

// A path holds no space, so no scope is the end of another one's name.
export const scoped = (name, scope = SCOPE) => `${name} ${scope}`;

const PATIENCE = 3000; // ms in which the browser's storage answers, or the page goes on without it

export const inTime = (promise) =>
  Promise.race([promise, new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), PATIENCE))]);

// localStorage or sessionStorage. What the browser does not take is kept until the page is left.
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

  // Whether the browser has it now.
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

  // The value of a JSON text, or null.
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
      /* it is not there either */
    }
  }
}

export class Storage {
  // `browser`: where indexedDB and the others are found.
  constructor(scope = SCOPE, browser = globalThis) {
    this.scope = scope;
    this.browser = browser;
    this.local = new Area(() => browser.localStorage, scope); // of all tabs
    this.tab = new Area(() => browser.sessionStorage, scope); // of this tab, also after a reload
  }

  // A database of this page, or of an older version by its bare name. Rejects if the browser has no database; may not
  // answer at all.
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

  // What this page's other tabs hear and say; a silent one if the browser has no channels.
  channel(name) {
    try {
      return new this.browser.BroadcastChannel(scoped(name, this.scope));
    } catch {
      return { postMessage() {} };
    }
  }
}

export const storage = new Storage();
