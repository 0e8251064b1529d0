// Stores the stories in this browser, so that a reload, the back button, a closed tab, a lost connection or a restarted
// server do not lose them. Every tab has a story open; two tabs never write the same one.
//
// A story has two rows: its head { id, rev, used, name, text, size }, which the list shows, and its body { id, value }.
// `used` is a counter that grows with every use, so the order does not depend on a clock. `rev` names the last change:
// a tab that has not seen it writes a copy of the story instead.
//
// A change that is not written when the page closes is stored twice: in the tab's session storage, which is
// synchronous, and in `left`, from which the next tab writes it.

import { inTime } from "./storage.js";

const DATABASE = "inkling-stories",
  STORES = { heads: "id", bodies: "id", left: "rev", about: "name" };
const TAB = "inkling-tab",
  CHANGES = "inkling-changes"; // in sessionStorage
const OLD = "inkling",
  OLD_STORE = "stories",
  OLD_LEFT = "inkling-left"; // names of older versions
const AT_REST = 300; // ms after a change until it is written
const ANSWER = 60; // ms to wait for other tabs' answers about their open stories
const REVISIONS = 8; // last changes of a story that a tab recognizes as its own
const SHOWN = 160; // characters of a story in the list

export const newId = () => crypto.getRandomValues(new Uint32Array(2)).join("-");

const answer = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

export class Store {
  // `events`: { problem(kind), saved() }. `kind`: "nothing" can be stored, or storage is "full".
  constructor(storage, events = {}) {
    this.storage = storage;
    this.events = events;
    this.database = null;
    this.problem = null;
    this.waiting = new Map(); // by story, the function that returns its unwritten change
    this.known = new Map(); // by row, the last revisions that this tab has read or written
    this.forks = new Map(); // by story, another row, after two tabs wrote it
    this.done = Promise.resolve();
    this.channel = storage.channel(DATABASE);
    this.channel.onmessage = ({ data }) => {
      if (data.asks && this.id) this.channel.postMessage({ holds: this.id });
    };
  }

  // Returns the story with which this tab starts: { story, value, tab }. Without a value it is a new story; `tab`: the
  // value of `keepTab`, or null in a new tab.
  async load() {
    const tab = this.storage.tab.value(TAB);
    const old = this.storage.tab.get(OLD);
    const wanted = tab?.story ?? old;
    let loaded;
    try {
      loaded = await inTime(this.find(wanted, tab ?? {}));
    } catch (problem) {
      this.fail(problem);
      this.takeBack();
      const value = this.waiting.get(wanted)?.().value ?? null;
      // Without its text the page must not write to the tab's story: the database may still have it.
      loaded = { story: value ? wanted : newId(), value };
    }
    this.id = this.rowOf(loaded.story);
    return { ...loaded, tab };
  }

  // Returns the tab's own story; a new one if the tab had an empty one; else the newest story, or a copy of it if
  // another tab has it open.
  async find(wanted, { empty, shown }) {
    const holding = this.held();
    await this.connect();
    await this.takeOver(wanted).catch((problem) => this.fail(problem)); // stories can still be read
    await this.writeLeft();
    const held = await holding,
      row = this.rowOf(wanted);
    const story = !wanted || held.has(row) ? newId() : wanted; // a duplicated tab gets a copy
    const unwritten = this.waiting.get(wanted);
    if (unwritten) {
      this.waiting.delete(wanted);
      this.waiting.set(story, unwritten);
      return { story, value: unwritten().value };
    }
    const heads = await this.heads();
    const own = heads.find(({ id }) => id === row);
    if (own || (!shown && !empty && heads.length)) return this.read(own ?? heads[0], held);
    return { story, value: shown ?? null };
  }

  // Writes the pending changes of this tab and of closed ones.
  async writeLeft() {
    try {
      await this.transact("readwrite", async (rows) => {
        for (const change of this.storage.tab.value(CHANGES) ?? []) await this.apply(rows, change, true);
        await this.absorb(rows);
      });
      this.storage.tab.remove(CHANGES);
    } catch (problem) {
      this.fail(problem);
      this.takeBack();
    }
  }

  // Queues the pending changes of this tab again.
  takeBack() {
    for (const { id, bases, value, text, size } of this.storage.tab.value(CHANGES) ?? []) {
      this.known.set(id, bases);
      this.waiting.set(id, () => ({ value, text, size }));
    }
    this.timer ??= setTimeout(() => this.flush(), AT_REST);
  }

  // Returns a row's story; a copy if it is open in another tab.
  async read({ id, rev }, held) {
    const body = await answer(this.rows("readonly").bodies.get(id));
    const value = body?.value ?? null;
    if (held.has(id)) return { story: newId(), value };
    this.forks.delete(id);
    this.remember(id, rev);
    return { story: id, value };
  }

  // Returns the stories that other tabs have open.
  async held() {
    const held = new Set();
    const hear = ({ data }) => data.holds && held.add(data.holds);
    this.channel.addEventListener?.("message", hear);
    this.channel.postMessage({ asks: true });
    await new Promise((resolve) => setTimeout(resolve, ANSWER));
    this.channel.removeEventListener?.("message", hear);
    return held;
  }

  // The database

  async connect() {
    this.database = await this.storage.database(DATABASE, (database) => {
      for (const [name, keyPath] of Object.entries(STORES)) database.createObjectStore(name, { keyPath });
    });
    this.wasOpen = true;
    this.database.onclose = () => (this.database = null);
  }

  rows(mode) {
    const transaction = this.database.transaction(Object.keys(STORES), mode);
    return Object.fromEntries(Object.keys(STORES).map((name) => [name, transaction.objectStore(name)]));
  }

  // Runs `work` in a transaction and resolves to its result.
  transact(mode, work) {
    return new Promise((resolve, reject) => {
      const rows = this.rows(mode),
        { transaction } = rows.heads;
      let result, failure;
      transaction.oncomplete = () => resolve(result);
      transaction.onabort = () => reject(transaction.error ?? failure);
      work(rows)
        .then((value) => (result = value))
        .catch((problem) => {
          failure = problem;
          try {
            transaction.abort();
          } catch {
            /* it is aborted already */
          }
        });
    });
  }

  // Copies the stories of older versions, whose database had no scope; every page of the origin does that.
  async takeOver(tab) {
    let before;
    try {
      before = await this.storage.database(OLD, (_, transaction) => transaction.abort(), false);
    } catch {
      return; // the browser has none
    }
    const rows = await answer(before.transaction(OLD_STORE).objectStore(OLD_STORE).getAll());
    before.close();
    const left = this.storage.tab.value(OLD_LEFT),
      own = rows.find(({ id }) => id === tab);
    if (left && !own) rows.push({ id: tab ?? newId(), ...left });
    else if (left && !(own.at > left.at)) Object.assign(own, left);
    rows.sort((a, b) => a.at - b.at);
    await this.transact("readwrite", async (stores) => {
      const { taken = {} } = (await answer(stores.about.get("taken"))) ?? {};
      const rev = (id) => `old-${id}-${taken[id]}`;
      for (const { id, at, value } of rows) {
        if (taken[id] === at) continue;
        const bases = [rev(id)]; // copied before, and changed since by a page of the older version
        taken[id] = at;
        await this.apply(stores, { id, rev: rev(id), bases, value, ...beginningOf(value) }, id === tab);
      }
      stores.about.put({ name: "taken", taken });
    });
    this.storage.tab.remove(OLD_LEFT);
  }

  // Changes

  rowOf(story) {
    return this.forks.get(story) ?? story;
  }

  remember(row, rev) {
    this.known.set(row, [...(this.known.get(row) ?? []), rev].slice(-REVISIONS));
  }

  forget(row, rev) {
    const others = this.known.get(row).filter((other) => other !== rev);
    this.known.set(row, others);
  }

  // Returns whether this tab has read or written the story, or will.
  isKept(story) {
    return this.waiting.has(story) || this.known.has(this.rowOf(story));
  }

  change([story, make]) {
    const id = this.rowOf(story),
      bases = this.known.get(id) ?? [],
      rev = newId();
    this.remember(id, rev);
    return { id, rev, bases, ...make() };
  }

  // Writes a change to its row, or to a new one if the row has changes that the change's tab had not seen. `isOwn`: it
  // is this tab's change, and the tab continues with the new row.
  async apply({ heads, bodies, about }, { id, rev, bases, text, size, value }, isOwn = false) {
    const head = await answer(heads.get(id));
    if (head?.rev === rev) return;
    const isOurs = !head || bases.includes(head.rev);
    const row = isOurs ? id : newId();
    if (!isOurs && isOwn) this.fork(id, row, rev);
    const name = (isOurs && head?.name) || "";
    const used = await nextUse(about, isOurs ? head?.used : undefined);
    heads.put({ id: row, rev, used, name, text, size });
    bodies.put({ id: row, value });
  }

  // Moves a story to another row. `id`: of the story, or of the row to which it was moved before.
  fork(id, row, rev) {
    for (const [story, before] of this.forks) if (before === id) this.forks.set(story, row);
    this.forks.set(id, row);
    this.remember(row, rev);
    if (this.id === id) this.id = row;
  }

  // Writes the pending changes of closed tabs.
  async absorb(rows) {
    for (const change of await answer(rows.left.getAll())) {
      await this.apply(rows, change);
      rows.left.delete(change.rev);
    }
  }

  // Saves a story, after a short delay for quick successive changes. `make` returns { value, text, size }.
  save(story, make) {
    this.id = this.rowOf(story);
    this.waiting.delete(story);
    this.waiting.set(story, make);
    this.timer ??= setTimeout(() => this.flush(), AT_REST);
  }

  // Stores the tab's state for a reload: { story, settings, odds, empty, shown }. `empty`: the story has no text;
  // `shown`: the value of an unchanged copy, which is on the page but not stored.
  keepTab(value) {
    this.id = this.rowOf(value.story);
    this.storage.tab.set(TAB, JSON.stringify({ ...value, story: this.id }));
  }

  // Writes the queued changes; resolves when they are written, or have failed.
  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.done = this.done.then(() => this.write());
    return this.done;
  }

  async write() {
    const entries = [...this.waiting];
    if (!entries.length || (!this.database && !this.wasOpen)) return;
    const changes = entries.map((entry) => this.change(entry));
    try {
      if (!this.database) await inTime(this.connect()); // the browser had closed it
      await this.transact("readwrite", async (rows) => {
        await this.absorb(rows);
        for (const change of changes) await this.apply(rows, change, true);
      });
    } catch (problem) {
      for (const { id, rev } of changes) this.forget(id, rev);
      this.fail(problem);
      return;
    }
    for (const [story, make] of entries) if (this.waiting.get(story) === make) this.waiting.delete(story);
    if (!this.waiting.size) this.storage.tab.remove(CHANGES);
    this.problem = null;
    this.events.saved?.();
  }

  // Reports a problem, once until the next successful write.
  fail(problem) {
    const kind = problem?.name === "QuotaExceededError" ? "full" : "nothing";
    if (kind !== this.problem) this.events.problem?.(kind);
    this.problem = kind;
  }

  // Stores the queued changes while the page closes, when it cannot wait for the database any more.
  leave() {
    if (!this.waiting.size) return;
    const changes = [...this.waiting].map((entry) => this.change(entry));
    try {
      if (!this.storage.tab.set(CHANGES, JSON.stringify(changes))) this.storage.tab.remove(CHANGES);
      const { left } = this.rows("readwrite");
      for (const change of changes) left.put(change);
      left.transaction.commit();
    } catch {
      /* the database is missing or closed */
    }
  }

  // All stories

  // Returns the heads, the last used first.
  async heads() {
    const heads = await answer(this.rows("readonly").heads.getAll());
    return heads.sort((a, b) => b.used - a.used);
  }

  // Returns the heads, including those of stories that could not be written.
  async list() {
    await this.flush();
    const heads = this.database ? await this.heads() : [];
    for (const [story, make] of this.waiting) {
      const id = this.rowOf(story),
        { text, size } = make();
      const known = heads.findIndex((head) => head.id === id);
      const [head] = known < 0 ? [{ name: "" }] : heads.splice(known, 1);
      heads.unshift({ ...head, id, text, size });
    }
    return heads;
  }

  // Opens a story: returns it as `load` does, or null if it does not exist any more.
  async open(id) {
    await this.flush();
    const held = await this.held();
    const unwritten = this.unwritten(id);
    if (unwritten) return { story: id, value: unwritten };
    const head = await answer(this.rows("readonly").heads.get(id));
    if (!head) return null;
    const story = await this.read(head, held);
    await this.transact("readwrite", async ({ heads, about }) => {
      const row = await answer(heads.get(id));
      if (row) heads.put({ ...row, used: await nextUse(about, row.used) });
    }).catch((problem) => this.fail(problem)); // a full storage can still be read
    return story;
  }

  // Returns the value of a story that could not be written, or null.
  unwritten(id) {
    const [story, make] = [...this.waiting].find(([one]) => this.rowOf(one) === id) ?? [];
    if (!story) return null;
    this.waiting.delete(story);
    this.forks.delete(id);
    this.waiting.set(id, make);
    return make().value;
  }

  async rename(id, name) {
    await this.flush();
    await this.transact("readwrite", async ({ heads }) => {
      const head = await answer(heads.get(id));
      if (head) heads.put({ ...head, name });
    });
  }

  // Deletes a story; returns the value for `restore`.
  async remove(id) {
    const story = (await this.all()).find((one) => one.id === id);
    for (const one of [...this.waiting.keys()]) if (this.rowOf(one) === id) this.waiting.delete(one);
    await this.transact("readwrite", async ({ heads, bodies }) => {
      heads.delete(id);
      bodies.delete(id);
    });
    return story;
  }

  async restore({ value, ...head }) {
    await this.transact("readwrite", async ({ heads, bodies, about }) => {
      heads.put({ ...head, rev: newId(), used: await nextUse(about) });
      bodies.put({ id: head.id, value });
    });
  }

  // Returns every story with its head, the last used first, including those that could not be written.
  async all() {
    const heads = await this.list();
    const bodies = this.database ? await answer(this.rows("readonly").bodies.getAll()) : [];
    const values = new Map(bodies.map(({ id, value }) => [id, value]));
    for (const [story, make] of this.waiting) values.set(this.rowOf(story), make().value);
    return heads.map((head) => ({ ...head, value: values.get(head.id) }));
  }

  // Adds stories [{ id, name, text, size, value }], the last used first, except existing ones; returns the number of
  // added stories.
  async add(stories) {
    await this.flush();
    return this.transact("readwrite", async ({ heads, bodies, about }) => {
      let count = 0;
      for (const { id, name, text, size, value } of stories.toReversed()) {
        const same = id && (await answer(bodies.get(id)));
        if (same && JSON.stringify(same.value.doc) === JSON.stringify(value.doc)) continue;
        const row = same || !id ? newId() : id;
        heads.put({ id: row, rev: newId(), used: await nextUse(about), name, text, size });
        bodies.put({ id: row, value });
        count += 1;
      }
      return count;
    });
  }
}

// Returns the beginning and the size of a text for the list.
export const beginning = (text) => ({ text: text.trim().slice(0, SHOWN), size: text.length });

// Returns the same for a packed document (tree.js) of an older version.
function beginningOf(value) {
  const branches = value?.doc?.branches ?? [];
  const tokens = (id) => {
    const branch = branches.find((one) => one.id === id);
    if (!branch) return [];
    return [...(branch.shared ? tokens(branch.parent).slice(0, branch.shared) : []), ...branch.t];
  };
  return beginning(tokens(value?.doc?.current).join(""));
}

// Returns the next value of the use counter; `used` if it is already the last one.
async function nextUse(about, used) {
  const { last = 0 } = (await answer(about.get("used"))) ?? {};
  if (used === last && last) return last;
  about.put({ name: "used", last: last + 1 });
  return last + 1;
}
