// The page's appearance: day or night, and its language.

import { partWith } from "../part.js";
import { titleLegend } from "./layout.js";
import { storage } from "../story/storage.js";

export class Appearance extends partWith("frame", "state", "language", "note") {
  constructor(page) {
    super(page);
    const night = storage.local.get("inkling-night"),
      system = matchMedia("(prefers-color-scheme: dark)");
    this.isAnother = false; // whether the page's first story was replaced
    this.isChosen = night !== null; // by a person; otherwise it follows the system
    this.showNight(this.isChosen ? night === "1" : system.matches);
    system.addEventListener("change", () => this.isChosen || this.showNight(system.matches));
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
    this.showNight(this.night);
    frame.part("language").textContent = language.texts[language.next].language;
    frame.part("language").lang = language.next;
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

  // Sets a person's choice.
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
