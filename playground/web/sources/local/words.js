// Words that a story should contain, as in playground/engine/words.py: which of them have not come yet, and which
// tokens would begin or continue one.

import { beginsWord, endOf, joins } from "../../story/whole_words.js";

export const PATIENCE = 250; // tokens that a run waits for its words: some cannot come

const rising = (ids) => [...new Set(ids)].sort((one, other) => one - other);

// Where the words of a story stand, token by token.
export class WordsToUse {
  // `spellings`: of a word, the ids of its forms, { spaced, bare }; `letters`: what an id adds to a story's text.
  constructor(words, spellings, letters) {
    this.words = new Map(words.map((word) => [word.trim().toLowerCase(), spellings(word.trim())]));
    this.letters = letters;
    this.count = 0; // tokens so far
    this.text = "";
    this.came = new Set();
    this.atEnd = new Set(); // words that the next letters may make another word of
    this.begun = []; // { word, ids, count }: a word that the text may go on with, `count` of its tokens are there
  }

  get missing() {
    return [...this.words.keys()].filter((word) => !this.came.has(word));
  }

  // Reads on in the tokens of a story.
  follow(ids) {
    for (const id of ids.slice(this.count)) this.add(id);
  }

  // The ids that begin a word that is missing and continue none, in rising order.
  begins() {
    const continues = this.continues();
    return rising(this.beginnings().map(({ ids }) => ids[0])).filter((id) => !continues.includes(id));
  }

  // The ids that continue a word that is missing, in rising order.
  continues() {
    const begun = this.begun.filter(({ word }) => !this.came.has(word));
    return rising(begun.map(({ ids, count }) => ids[count]));
  }

  // The words that are missing and could begin here.
  beginnings() {
    const isFresh = beginsWord(this.text);
    return this.missing.flatMap((word) => {
      const { spaced, bare } = this.words.get(word);
      const fits = [...(isFresh || !joins(word[0]) ? bare : []), ...(isFresh ? [] : spaced)];
      return fits.map((ids) => ({ word, ids, count: 0 }));
    });
  }

  add(id) {
    this.begun = [...this.begun, ...this.beginnings()]
      .filter(({ ids, count }) => ids[count] === id && count + 1 < ids.length)
      .map((part) => ({ ...part, count: part.count + 1 }));
    this.count += 1;
    const before = this.text.length;
    this.text += this.letters(id);
    for (const word of this.words.keys()) {
      if (!this.came.has(word) || this.atEnd.has(word)) this.lookFor(word, Math.max(0, before - word.length - 1));
    }
  }

  // Notes whether a word stands in the text behind `start`.
  lookFor(word, start) {
    const text = this.text.slice(start).toLowerCase();
    const end = endOf(word, text, start === 0);
    this.atEnd.delete(word);
    if (end === null) {
      this.came.delete(word);
      return;
    }
    this.came.add(word);
    if (end === text.length) this.atEnd.add(word);
  }
}
