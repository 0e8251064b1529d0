// What changes the story on the page: a person's edits, Undo and Redo, and the model's reading of typed text.

import { partWith } from "../part.js";
import * as tree from "./tree.js";

const CHARACTERS = 20_000,
  NEARLY = 0.9; // of a story; from which part on their number is shown
export const AT_REST = 600; // ms without a key after which typed text is scored
const SCORED_FIRST = 400; // characters of it
const UNDOS = 200;

export class Edits extends partWith("state", "stories", "source", "note") {
  constructor(page) {
    super(page);
    this.typedAt = null; // when the last key was typed: quick keys are undone together
    this.state.on(["past", "future"], () => {
      this.typedAt = null;
    });
  }

  // Another document, which Undo takes back.
  act(doc) {
    if (this.state.now.writing || doc === this.state.now.doc) return;
    this.remember();
    this.state.set({ doc, last: null });
  }

  // A change that leaves every text as it is, such as the choice of a branch.
  change(edit) {
    this.act(this.stories.changed(this.state.now.doc, edit));
  }

  // Another document is about to take the place of this one.
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

  // Takes the text that a person typed, cut or pasted; whether it did.
  type(text) {
    const { doc, writing } = this.state.now,
      before = this.state.text;
    if (text.length > CHARACTERS && text.length >= before.length) {
      // what gets shorter is taken
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

  // A branch's typed text as the model reads it, with its surprise: what was changed first, and the rest in larger
  // and larger parts. Rejects if the source does not answer.
  async score(id = this.state.now.doc.current) {
    const all = () => this.state.now.doc.branches[id]?.tokens ?? [];
    let whole = tree.textOf(all());
    for (let length = SCORED_FIRST; tree.pendingText(all()).trim() && !this.state.now.writing; length *= 4) {
      const { doc, model } = this.state.now,
        text = tree.firstWords(tree.pendingText(all()), length);
      const found = await this.source.score({ model: model.name, ids: tree.idsOf(all()), text });
      const tokens = found?.tokens.map(([t, s, i]) => ({ t, s, i, r: -1 })) ?? [];
      const read = tree.textOf(tokens);
      if (tree.textOf(all()) !== whole || !read) return;
      if (!text.startsWith(read)) return; // some tokenizers read another text: it stays as it was typed
      if (this.state.now.doc !== doc) continue; // somebody else asked too, and was first
      // A space at the end belongs to the next word: it is typed text still.
      this.state.set({ doc: this.stories.follow(doc, tree.scored(doc, tokens, read.length, id)) });
      whole = tree.textOf(all());
    }
  }

  // Whether all typed text has its tokens; if not, the page says why.
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
