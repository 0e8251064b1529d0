// The state of the page as one frozen value: parts read `now`, and only `set` changes it.

import { textOf } from "./tree.js";

/**
 * @typedef {object} Values
 * @property {StoryDocument} doc the story
 * @property {StoryDocument[]} past undo steps, the newest last
 * @property {StoryDocument[]} future redo steps, the nearest last
 * @property {{ doc: StoryDocument, tokenId: number | null } | null} last where "Try again" begins
 * @property {ModelInfo} model that scores and continues the story
 * @property {Settings} settings for sampling
 * @property {boolean} odds whether words have the colours of their odds
 * @property {AbortController | null} writing aborts the running request
 * @property {import("../sampling/core.js").Core | null} core applies settings to distributions, once it is loaded
 * @property {boolean} isCoreMissing whether the core could not be loaded
 * @property {string} language code of the page's language, after a person changed it
 */

export class State {
  /** @type {Readonly<Partial<Values>>} */
  #now = Object.freeze({ doc: null, past: [], future: [], last: null, writing: null, core: null });
  #listeners = [];

  /** @param {Partial<Values>} values */
  constructor(values) {
    this.set(values);
  }

  get now() {
    return this.#now;
  }

  /** @param {Partial<Values>} changes */
  set(changes) {
    const names = Object.keys(changes).filter((name) => changes[name] !== this.#now[name]);
    if (!names.length) return;
    this.#now = Object.freeze({ ...this.#now, ...changes });
    for (const [wanted, listener] of this.#listeners) if (names.some((name) => wanted.includes(name))) listener();
  }

  /**
   * Calls `listener` after each change of one of these values.
   * @param {(keyof Values)[]} names
   * @param {() => void} listener
   */
  on(names, listener) {
    this.#listeners.push([names, listener]);
  }

  // The tokens of the current branch.
  get tokens() {
    const { branches, current } = this.now.doc;
    return branches[current].tokens;
  }

  get text() {
    return textOf(this.tokens);
  }

  /**
   * Returns the settings with which a token was written, or would be.
   * @param {Token} token
   */
  settingsOf(token) {
    return this.now.doc.runs[token.r]?.settings ?? this.now.settings;
  }
}
