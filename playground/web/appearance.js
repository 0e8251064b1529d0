// How the page looks and speaks: day or night, and in which language.

import { showFacts } from "./facts.js";
import { titleLegend } from "./layout.js";
import { storage } from "./storage.js";

export class Appearance {
  constructor(writer) {
    this.writer = writer;
    const night = storage.local.get("inkling-night");
    this.setNight(night === null ? matchMedia("(prefers-color-scheme: dark)").matches : night === "1");
  }

  // All words of the page, after the language changed.
  showWords() {
    const { language } = this.writer;
    language.apply(this.writer);
    document.title = language.say("title");
    document.documentElement.lang = language.code;
    this.writer.sheet.element.dataset.placeholder = language.say("placeholder");
    titleLegend(this.writer, language.code);
    this.writer.panel.checkSeed();
    this.setNight(this.night);
    this.writer.part("language").textContent = language.texts[language.next].language;
    this.writer.part("language").lang = language.next;
    showFacts(this.writer);
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

  setNight(on) {
    if (this.night !== undefined && this.night !== on) storage.local.set("inkling-night", on ? "1" : "0");
    this.night = on;
    document.body.classList.toggle("dark", on);
    this.writer.part("night").textContent = this.writer.language.say(on ? "day" : "night");
  }
}
