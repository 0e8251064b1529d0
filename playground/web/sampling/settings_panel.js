// The settings beside the story: sliders, presets, seed, lists of words.

import { partWith } from "../part.js";
import { LISTS, PRESETS, SLIDERS, newSeed, seedOf, wordsIn } from "./settings.js";

export class SettingsPanel extends partWith("frame", "state", "language") {
  constructor(page) {
    super(page);
    this.field("seed").value = "0";
    this.state.on(["settings", "language"], () => this.show());
    this.show();
  }

  field(name) {
    return this.frame.field(name);
  }

  set(changes) {
    this.state.set({ settings: { ...this.state.now.settings, ...changes } });
  }

  // Whether one word at a time is wanted.
  get isOneWord() {
    return this.field("pick").checked;
  }

  // What a person changes; `name` of its field.
  change(name, input) {
    if (input.type === "range") this.set({ [name]: Number(input.value) });
    else if (name === "stop") this.set({ stop_at_end: input.checked });
    else if (LISTS.some((row) => row.name === name)) this.set({ [name]: wordsIn(input.value) });
    else if (name === "seed") {
      this.field("fresh").checked = false;
      this.checkSeed();
    }
  }

  // The settings as they are asked for, or null with a message on the page if the seed is not a number.
  /** @returns {Wish | null} */
  wish({ isFresh = false } = {}) {
    this.field("fresh").checked ||= isFresh;
    if (this.field("fresh").checked) this.field("seed").value = String(newSeed());
    const seed = this.checkSeed();
    if (seed !== null) return { settings: { ...this.state.now.settings }, seed };
    this.frame.root.querySelector("details").open = true;
    this.field("seed").focus();
    return null;
  }

  checkSeed() {
    const seed = seedOf(this.field("seed").value);
    this.field("seed").setAttribute("aria-invalid", String(seed === null));
    this.frame.part("seed-hint").textContent = this.language.say(seed === null ? "seed_wrong" : "seed_hint");
    return seed;
  }

  show() {
    const { settings } = this.state.now;
    this.checkSeed();
    for (const { name } of SLIDERS) {
      const value = settings[name];
      this.field(name).value = String(value);
      this.field(`${name}-value`).textContent = value.toLocaleString(this.language.code);
    }
    this.field("stop").checked = settings.stop_at_end;
    for (const { name } of LISTS) {
      if (document.activeElement !== this.field(name)) this.field(name).value = settings[name].join(", ");
    }
    for (const button of this.frame.root.querySelectorAll("[data-preset]")) {
      const preset = PRESETS[button.dataset.preset];
      const is = Object.entries(preset).every(([name, value]) => settings[name] === value);
      button.setAttribute("aria-pressed", String(is));
    }
  }

  usePreset(name) {
    this.set(PRESETS[name]);
  }
}
