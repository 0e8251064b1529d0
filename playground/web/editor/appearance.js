// How the page looks and speaks: day or night, and in which language.

import { partWith } from "../part.js";
import { titleLegend } from "./layout.js";
import { storage } from "../story/storage.js";

export class Appearance extends partWith("frame", "state", "language", "note") {
  constructor(page) {
    super(page);
    const night = storage.local.get("inkling-night"),
      system = matchMedia("(prefers-color-scheme: dark)");
    this.isAnother = false; // whether the page's first story is there no more
    this.isChosen = night !== null; // by a person; else it is as the system has it, and changes with it
    this.showNight(this.isChosen ? night === "1" : system.matches);
    system.addEventListener("change", () => this.isChosen || this.showNight(system.matches));
    this.showWords();
  }

  // All words of the page's frame, after the language changed.
  showWords() {
    const { frame, language } = this;
    language.apply(frame.root);
    this.showTitle();
    document.documentElement.lang = language.code;
    frame.part("sheet").dataset.placeholder = language.say("placeholder");
    titleLegend(frame.root, language.code);
    this.showNight(this.night);
    frame.part("language").textContent = language.texts[language.next].language;
    frame.part("language").lang = language.next;
  }

  // The window's title: the story's own on the page of its link, as the server has written it, until another
  // one begins.
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

  // As a person chose.
  setNight(on) {
    this.isChosen = true;
    storage.local.set("inkling-night", on ? "1" : "0");
    this.showNight(on);
  }

  showNight(on) {
    this.night = on;
    document.body.classList.toggle("dark", on);
    this.frame.part("night").textContent = this.language.say(on ? "day" : "night");
  }
}
