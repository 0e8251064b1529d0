// Day or night: as the system has it, until a person chooses.

const KEPT = "inkling-night";

export class Night {
  /**
   * @param {HTMLElement} button that changes it, whose text is what it changes to
   * @param {import("./language.js").Language} language
   * @param {object} [options]
   * @param {any} [options.area] of story/storage.js, which keeps the choice
   * @param {() => void} [options.changed] called after a change
   */
  constructor(button, language, { area = null, changed = () => {} } = {}) {
    this.button = button;
    this.language = language;
    this.area = area;
    this.changed = changed;
    const kept = area?.get(KEPT) ?? null,
      system = matchMedia("(prefers-color-scheme: dark)");
    this.isChosen = kept !== null;
    this.show(this.isChosen ? kept === "1" : system.matches);
    system.addEventListener("change", () => this.isChosen || this.show(system.matches));
  }

  toggle() {
    this.isChosen = true;
    this.area?.set(KEPT, this.isOn ? "0" : "1");
    this.show(!this.isOn);
  }

  show(isOn = this.isOn) {
    this.isOn = isOn;
    document.body.classList.toggle("dark", isOn);
    this.button.textContent = this.language.say(isOn ? "day" : "night");
    this.changed();
  }
}
