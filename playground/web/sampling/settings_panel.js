// The settings beside the story: sliders, presets, seed, lists of words.

import { LISTS, PRESETS, SLIDERS, newSeed, seedOf, wordsIn } from "./settings.js";

export class SettingsPanel {
  // `values`: the settings to begin with, as settings.js repairs them.
  constructor(writer, values) {
    this.writer = writer;
    this.values = values;
    this.field("seed").value = "0";
  }

  field(name) {
    return this.writer.field(name);
  }

  // What a person changes; `name` of its field.
  change(name, input) {
    if (input.type === "range") this.values[name] = Number(input.value);
    else if (name === "stop") this.values.stop_at_end = input.checked;
    else if (LISTS.some((row) => row.name === name)) {
      this.values[name] = wordsIn(input.value);
    } else if (name === "seed") {
      this.field("fresh").checked = false;
      this.checkSeed();
    }
    this.show();
  }

  // The settings as they are asked for, or null with a message on the page if the seed is not a number.
  wish() {
    if (this.field("fresh").checked) {
      const seed = newSeed();
      this.field("seed").value = String(seed);
      this.checkSeed();
      return { settings: { ...this.values }, seed };
    }
    const seed = this.checkSeed();
    if (seed === null) {
      this.writer.querySelector("details").open = true;
      this.field("seed").focus();
      return null;
    }
    return { settings: { ...this.values }, seed };
  }

  checkSeed() {
    const seed = seedOf(this.field("seed").value);
    this.field("seed").setAttribute("aria-invalid", String(seed === null));
    this.writer.part("seed-hint").textContent = this.writer.language.say(seed === null ? "seed_wrong" : "seed_hint");
    return seed;
  }

  show() {
    for (const { name } of SLIDERS) {
      const value = this.values[name];
      this.field(name).value = String(value);
      this.field(`${name}-value`).textContent = value.toLocaleString(this.writer.language.code);
    }
    this.field("stop").checked = this.values.stop_at_end;
    for (const { name } of LISTS) {
      if (document.activeElement !== this.field(name)) this.field(name).value = this.values[name].join(", ");
    }
    for (const button of this.writer.querySelectorAll("[data-preset]")) {
      const preset = PRESETS[button.dataset.preset];
      const is = Object.entries(preset).every(([name, value]) => this.values[name] === value);
      button.setAttribute("aria-pressed", String(is));
    }
  }

  usePreset(name) {
    Object.assign(this.values, PRESETS[name]);
    this.show();
    this.writer.nextWord.show();
    this.writer.keep();
  }
}
