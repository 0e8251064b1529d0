// Texts to choose from, side by side: eight continuations, branches of the story, or replacements of a sentence.

import { partWith } from "../part.js";
import * as tree from "../story/tree.js";
import { sideBySide } from "./branches.js";

const COMPARED = 24; // branches at most

export class Choices extends partWith("frame", "state", "language") {
  // `choose(id, continues)`: called with the chosen branch, and whether the story continues, as after eight versions.
  constructor(page, choose) {
    super(page);
    this.choose = choose;
    this.state.on(["writing"], () => this.state.now.writing && this.close());
  }

  get isOpen() {
    return !this.frame.part("choices").hidden;
  }

  compare() {
    const { doc } = this.state.now,
      siblings = tree.siblingsOf(doc, doc.current);
    const isAlone = siblings.length < 2 && tree.current(doc).parent === null;
    const all = isAlone ? [...siblings, ...tree.childrenOf(doc, doc.current)] : siblings;
    const ids = all.slice(0, COMPARED).map((branch) => branch.id);
    this.open("siblings", ids);
  }

  // Shows branches side by side.
  open(title, ids) {
    const { state, language } = this;
    const { items, shared } = sideBySide(state.now.doc, ids, language, (id) => {
      if (state.now.writing) return;
      this.close();
      this.choose(id, title === "choices");
    });
    this.show(title, items, shared);
  }

  // Shows items below a title and the text that they share.
  show(title, items, shared = "") {
    const { frame, language } = this;
    frame.part("choices").hidden = false;
    frame.part("choices-title").textContent = language.say(title);
    frame.part("choices-shared").textContent = shared;
    frame.part("choices-list").replaceChildren(...items);
  }

  close() {
    this.frame.part("choices").hidden = true;
  }
}
