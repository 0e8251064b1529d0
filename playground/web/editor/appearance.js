// The page's appearance: day or night, and its language.

import { partWith } from "../part.js";
import { Night } from "./night.js";
import { titleLegend } from "./layout.js";
import { storage } from "../story/storage.js";

export class Appearance extends partWith("frame", "state", "language", "note") {
  constructor(page) {
    super(page);
    this.isAnother = false; // whether the page's first story was replaced
    this.night = new Night(this.frame.part("night"), this.language, { area: storage.local });
    this.showWords();
  }

  // Shows all texts of the page's frame in the current language.
  showWords() {
    const { frame, language } = this;
    language.apply(frame.root);
    this.showTitle();
    document.documentElement.lang = language.code;
    frame.part("sheet").dataset.placeholder = language.say("placeholder");
    titleLegend(frame.root, language.code);
    this.night.show();
    language.showNext(frame.part("language"));
  }

  // Sets the window's title. On the page of a story's link, the server's title, the story's own, stays until another
  // story begins.
  showTitle({ isAnother = false } = {}) {
    this.isAnother ||= isAnother;
    const isStory = document.querySelector('meta[property="og:type"][content="article"]');
    if (this.isAnother || !isStory) document.title = this.language.say("title");
  }

  nextLanguage() {
    const { language, state, note } = this;
    language.code = language.next;
    storage.local.set("inkling-language", language.code);
    this.showWords();
    note.say("");
    state.set({ language: language.code });
  }
}
