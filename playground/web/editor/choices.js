// Several ways side by side: the eight that the model offers, or branches of the story.

import { showSideBySide } from "./branches.js";
import * as tree from "../story/tree.js";

const COMPARED = 24; // branches at most

export class Choices {
  constructor(writer) {
    this.writer = writer;
  }

  get isOpen() {
    return !this.writer.part("choices").hidden;
  }

  // One of several branches is chosen; of eight, it goes on.
  async choose(id, goesOn) {
    if (this.writer.writing) return;
    this.close();
    this.writer.stories.change((doc) => tree.selected(doc, id));
    if (goesOn && !this.writer.branch.ended) await this.writer.generation.generate();
  }

  compare() {
    const ids = tree
      .siblingsOf(this.writer.doc, this.writer.doc.current)
      .map((branch) => branch.id)
      .slice(0, COMPARED);
    const { parent } = this.writer.branch;
    if (ids.length < 2 && parent === null) {
      ids.push(
        ...tree
          .childrenOf(this.writer.doc, this.writer.doc.current)
          .map((branch) => branch.id)
          .slice(0, COMPARED - 1),
      );
    }
    this.open("siblings", ids);
  }

  open(title, ids) {
    this.writer.part("choices").hidden = false;
    this.writer.part("choices-title").textContent = this.writer.language.say(title);
    showSideBySide(this.writer.part("choices-list"), this.writer.doc, ids, this.writer.language, (id) =>
      this.choose(id, title === "choices"),
    );
  }

  close() {
    this.writer.part("choices").hidden = true;
  }
}
