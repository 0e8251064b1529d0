// All changes of the story on the page: edits, Undo and Redo, and scoring of typed text.

import { partWith } from "../part.js";
import * as tree from "./tree.js";

const CHARACTERS = 20_000, // of a story, at most
  NEARLY = 0.9; // part from which on the number of characters is shown
export const AT_REST = 600; // ms without a key after which typed text is scored
const SCORED_FIRST = 400; // characters of the first scoring request
const UNDOS = 200;

export class Edits extends partWith("state", "stories", "source", "note") {
  constructor(page) {
    super(page);
    this.typedAt = null; // time of the last key: quick keys are undone together
    this.state.on(["past", "future"], () => (this.typedAt = null));
  }

  // Replaces the document, with an undo step.
  act(doc) {
    if (this.state.now.writing || doc === this.state.now.doc) return;
    this.remember();
    this.state.set({ doc, last: null });
  }

  // Makes a change that leaves every text unchanged, such as the choice of a branch.
  change(edit) {
    this.act(this.stories.changed(this.state.now.doc, edit));
  }

  // Adds an undo step, before the document is replaced.
  remember() {
    const { doc, past } = this.state.now;
    this.state.set({ past: [...past, this.stories.keptOf(doc)].slice(-UNDOS), future: [] });
  }

  undo() {
    this.travel("past", "future");
  }

  redo() {
    this.travel("future", "past");
  }

  travel(from, to) {
    const { now } = this.state;
    if (now.writing || !now[from].length) return;
    const steps = { [from]: now[from].slice(0, -1), [to]: [...now[to], this.stories.keptOf(now.doc)] };
    this.state.set({ ...this.stories.viewOf(now[from].at(-1)), ...steps, last: null });
  }

  // Sets the text after typing, cutting or pasting; returns whether it was accepted.
  type(text) {
    const { doc, writing } = this.state.now,
      before = this.state.text;
    if (text.length > CHARACTERS && text.length >= before.length) {
      // a shorter text is always accepted
      this.note.tell("too_long", { max: CHARACTERS, n: text.length });
      return false;
    }
    if (writing || text === before) return true;
    const now = Date.now();
    if (this.typedAt === null || now - this.typedAt > AT_REST) this.remember();
    this.typedAt = now;
    this.state.set({ doc: tree.edited(doc, text), last: null });
    if (text.length > NEARLY * CHARACTERS) this.note.tell("nearly_full", { max: CHARACTERS, n: text.length });
    return true;
  }

  // Scores a branch's typed text: its tokens and their surprise. The text after a change is requested in parts of
  // increasing size, so that the first colours come soon. Rejects if the source does not answer.
  async score(id = this.state.now.doc.current) {
    const all = () => this.state.now.doc.branches[id]?.tokens ?? [];
    let whole = tree.textOf(all());
    for (let length = SCORED_FIRST; tree.pendingText(all()).trim() && !this.state.now.writing; length *= 4) {
      const { doc, model } = this.state.now,
        text = tree.firstWords(tree.pendingText(all()), length);
      const scored = await this.source.score({ model: model.name, ids: tree.idsOf(all()), text });
      const tokens = scored?.tokens.map(([t, s, i]) => ({ t, s, i, r: -1 })) ?? [];
      const read = tree.textOf(tokens);
      if (tree.textOf(all()) !== whole || !read) return;
      if (!text.startsWith(read)) return; // some tokenizers change the text: then it stays unscored
      if (this.state.now.doc !== doc) continue; // another request was faster
      // A space at the end belongs to the next word, so it stays unscored.
      this.state.set({ doc: this.stories.follow(doc, tree.scored(doc, tokens, read.length, id)) });
      whole = tree.textOf(all());
    }
  }

  // Scores all typed text; returns whether that worked. If not, the page says why.
  async isScored() {
    try {
      await this.score();
      return true;
    } catch (problem) {
      this.note.say(this.note.why(problem));
      return false;
    }
  }
}
