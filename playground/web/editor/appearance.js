// How the page looks and speaks: day or night, and in which language.

import { showFacts } from "./facts.js";
import { titleLegend } from "./layout.js";
import { storage } from "../story/storage.js";

export class Appearance {
  constructor(writer) {
    this.writer = writer;
    const night = storage.local.get("inkling-night"),
      system = matchMedia("(prefers-color-scheme: dark)");
    this.isAnother = false; // whether the page's first story is there no more
    this.isChosen = night !== null; // by a person; else it is as the system has it, and changes with it
    this.showNight(this.isChosen ? night === "1" : system.matches);
    system.addEventListener("change", () => this.isChosen || this.showNight(system.matches));
  }

  // All words of the page, after the language changed.
  showWords() {
    const { language } = this.writer;
    language.apply(this.writer);
    this.showTitle();
    document.documentElement.lang = language.code;
    this.writer.sheet.element.dataset.placeholder = language.say("placeholder");
    titleLegend(this.writer, language.code);
    this.writer.panel.checkSeed();
    this.showNight(this.night);
    this.writer.part("language").textContent = language.texts[language.next].language;
    this.writer.part("language").lang = language.next;
    showFacts(this.writer);
  }

  // The window's title: the story's own on the page of its link, as the server has written it, until another
  // one begins.
  showTitle({ isAnother = false } = {}) {
    this.isAnother ||= isAnother;
    const isStory = document.querySelector('meta[property="og:type"][content="article"]');
    if (this.isAnother || !isStory) document.title = this.writer.language.say("title");
  }

  nextLanguage() {
    this.writer.language.code = this.writer.language.next;
    storage.local.set("inkling-language", this.writer.language.code);
    this.showWords();
    this.writer.panel.show();
    this.writer.branchList.items.clear();
    this.writer.branchList.list.replaceChildren();
    this.writer.say("");
    this.writer.storiesPanel.refresh();
    this.writer.changed();
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
    this.writer.part("night").textContent = this.writer.language.say(on ? "day" : "night");
  }
}
