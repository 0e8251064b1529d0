// The second step of Train: the model, its size, and the length of the run, measured by a dry run on this machine.

import { cardChoice, entry, make, setText } from "../make.js";
import { Latest, post } from "../studio/server.js";
import { compact, duration, fixed, size } from "../studio/values.js";
import { current, giving, sections, valueFrom } from "../studio/settings.js";
import { requestOf, sourceOf } from "./draft.js";
import { lengthOf, lengths } from "./lengths.js";

const DEBOUNCE = 900; // ms after the last change, before the dry run
// Settings with another field on the page, or set by the app.
const ELSEWHERE = ["corpus.source", "model.init_from", "optim.steps", "run.dir", "run.fresh", "run.dry_run"];

// The presets with a translated description, the fastest first.
const ORDER = ["smoke", "pocket", "storyteller", "seed"];
const rank = ({ name }) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
const byOrder = (a, b) => rank(a) - rank(b);

export const MODEL = `
<div class="pair">
  <label for="base" data-text="begin_with"></label>
  <select id="base" data-part="base"></select>
</div>
<fieldset class="cards" data-part="presets"><legend data-text="which_size"></legend></fieldset>
<p class="hint" data-part="measuring" role="status"></p>
<p class="problem" data-part="model-problem" role="alert"></p>
<fieldset class="lengths" data-part="lengths" hidden><legend data-text="how_long"></legend></fieldset>
<dl class="figures" data-part="estimate"></dl>
<details class="advanced"><summary data-text="advanced"></summary><p class="hint" data-text="advanced_hint"></p><div data-part="advanced"></div></details>
<details data-part="command-fold"><summary data-text="command"></summary>
  <p class="hint" data-text="command_hint"></p>
  <pre data-part="command" tabindex="0" data-label="command"></pre>
  <button type="button" data-part="copy" data-text="copy"></button></details>`;

export class ModelStep {
  /** @param {import("./new_run.js").NewRun} run */
  constructor(run) {
    this.run = run;
    this.place = run.place;
    this.estimates = new Map();
    this.measuredKey = "";
    this.measuring = new Latest("estimate", DEBOUNCE);
    addEventListener("pagehide", () => this.stopMeasuring()); // a page that comes back measures again
    document.addEventListener("visibilitychange", () => document.hidden || this.measure());
    this.commandOf = "";
    const { place } = this;
    this.buildBases();
    this.buildPresets();
    this.buildAdvanced();
    place.part("copy").addEventListener("click", async () => {
      await navigator.clipboard?.writeText(place.part("command").textContent);
      setText(place.part("copy"), place.say("copied"));
      place.tell(place.say("copied"));
    });
  }

  buildBases() {
    const { place, run } = this,
      select = place.part("base");
    select.append(new Option(place.say("from_scratch"), ""));
    for (const { name, folder, parameters } of run.models) {
      const about = parameters ? ` (${compact(parameters, place.code)})` : "";
      select.append(new Option(`${place.say("model_from", { name })}${about}`, folder));
    }
    const { base } = run.draft;
    if (base && ![...select.options].some(({ value }) => value === base)) select.append(new Option(base, base));
    select.value = base;
    select.addEventListener("change", () => run.change({ base: select.value, steps: 0 }));
  }

  buildPresets() {
    const { place, run } = this;
    place.part("presets").append(
      ...[...run.table.presets].sort(byOrder).map(({ name, about }) => {
        const radio = make("input", { type: "radio", name: "preset", value: name });
        radio.addEventListener("change", () => run.change({ preset: name, steps: 0 }));
        const hint = ORDER.includes(name) ? place.say(`preset_${name}`) : about;
        return cardChoice(radio, name, hint, make("span", { className: "cost", "data-cost": name }));
      }),
    );
  }

  buildAdvanced() {
    const { place, run } = this;
    for (const [section, settings] of sections(run.table.settings, ELSEWHERE)) {
      const fields = settings.map((setting) => this.field(setting));
      place
        .part("advanced")
        .append(make("details", {}, make("summary", {}, place.say(`section_${section}`)), ...fields));
    }
  }

  field(setting) {
    const { key, type, meaning, unit, choices } = setting;
    const id = `set-${key}`;
    const field =
      choices.length > 0
        ? make("select", { id }, ...choices.map((choice) => new Option(choice, choice)))
        : make("input", {
            id,
            type: type === "bool" ? "checkbox" : "text",
            autocomplete: "off",
            spellcheck: false,
            inputMode: type === "float" || type === "int" ? "decimal" : "text",
          });
    field.dataset.key = key;
    field.setAttribute("aria-describedby", `${id}-hint`);
    field.addEventListener("change", () => {
      const value = valueFrom(setting, type === "bool" ? field.checked : field.value);
      field.setAttribute("aria-invalid", String(value === undefined));
      if (value === undefined) return;
      this.run.change({ given: giving(this.run.draft.given, setting, value, this.run.preset) });
    });
    const label = make("label", { htmlFor: id }, make("code", {}, key));
    const text = unit ? `${meaning} (${unit})` : meaning;
    const hint = make("p", { className: "hint", id: `${id}-hint`, lang: "en" }, text);
    return make("div", { className: `setting-row ${type}` }, label, field, hint);
  }

  show() {
    const { place, run } = this,
      { draft } = run;
    for (const radio of place.all('[name="preset"]')) radio.checked = radio.value === draft.preset;
    place.part("presets").hidden = Boolean(draft.base);
    for (const setting of run.table.settings) {
      const [field] = place.all(`[data-key="${setting.key}"]`);
      if (!field || field === document.activeElement) continue;
      const value = current(setting, run.preset, draft.given);
      if (setting.type === "bool") field.checked = value;
      else field.value = String(value);
      field.closest(".setting-row").classList.toggle("given", setting.key in draft.given);
    }
    this.askCommand();
    this.measure();
  }

  // The request for the estimate: the draft at its usual length.
  get request() {
    return requestOf({ ...this.run.draft, steps: 0 });
  }

  measure() {
    const { run, place } = this;
    const key = sourceOf(run.draft) ? JSON.stringify(this.request) : "";
    if (key === this.measuredKey) {
      this.showEstimate(this.estimates.get(key));
      return;
    }
    this.stopMeasuring();
    this.measuredKey = key;
    setText(place.part("model-problem"), "");
    const estimate = this.estimates.get(key);
    this.showEstimate(estimate);
    if (estimate || !key) return;
    setText(place.part("measuring"), place.say("measuring"));
    this.measuring.ask(this.request, {
      onProgress: ({ line }) => line && setText(place.part("measuring"), line),
      hear: (result) => {
        if (result) {
          this.estimates.set(key, result);
          this.showEstimate(result);
          return;
        }
        this.measuredKey = ""; // the app ended it while this page slept
        if (!document.hidden) this.measure();
      },
      fail: ({ message }) => {
        setText(place.part("measuring"), "");
        setText(place.part("model-problem"), message || place.say("app_away"));
      },
    });
  }

  /** Cancels a running or scheduled measurement: the training run needs the machine. `measure` restarts it. */
  async stopMeasuring() {
    this.measuredKey = "";
    setText(this.place.part("measuring"), "");
    await this.measuring.stop();
  }

  showEstimate(estimate) {
    const { place, run } = this;
    run.measured(estimate ?? null);
    const box = place.part("lengths");
    box.hidden = !estimate;
    if (!estimate) {
      place.part("estimate").replaceChildren();
      return;
    }
    setText(place.part("measuring"), "");
    const cost = place.root.querySelector(`[data-cost="${run.draft.preset}"]`);
    if (cost) setText(cost, place.say("about", { time: duration(estimate.seconds, place.code) }));
    this.showLengths(box, estimate);
    const length = lengthOf(estimate, run.draft.steps);
    const rows = [
      ["figure_parameters", compact(estimate.parameters, place.code)],
      ["figure_steps", compact(length.steps, place.code)],
      ["figure_passes", fixed(length.epochs, place.code, length.epochs < 10 ? 1 : 0)],
      ["figure_speed", compact(estimate.tokens_per_second, place.code)],
      ["figure_memory", size(estimate.memory_bytes, place.code)],
    ];
    place.part("estimate").replaceChildren(...rows.map(([key, text]) => entry(place.say(key), text)));
  }

  showLengths(box, estimate) {
    const { place, run } = this;
    const choices = lengths(estimate);
    const chosen = run.draft.steps;
    if (chosen && !choices.some(({ steps }) => steps === chosen))
      choices.push({ ...lengthOf(estimate, chosen), isUsual: false });
    const key = JSON.stringify([choices, place.code]);
    if (box.dataset.shown !== key) {
      box.dataset.shown = key;
      for (const old of box.querySelectorAll("label")) old.remove();
      box.append(
        ...choices.map(({ steps, seconds, epochs, isUsual }) => {
          const radio = make("input", { type: "radio", name: "length", value: String(isUsual ? 0 : steps) });
          radio.addEventListener("change", () => run.change({ steps: Number(radio.value) }));
          const passes = place.say("passes", { n: fixed(epochs, place.code, epochs < 10 ? 1 : 0) });
          const text = place.say(isUsual ? "usual" : "shorter", { passes });
          return make("label", {}, radio, make("b", {}, duration(seconds, place.code)), make("span", {}, text));
        }),
      );
    }
    for (const radio of box.querySelectorAll("input")) radio.checked = Number(radio.value) === chosen;
  }

  async askCommand() {
    const { place, run } = this;
    const values = { name: run.draft.name, ...requestOf(run.draft) };
    const key = JSON.stringify(values);
    if (key === this.commandOf || !sourceOf(run.draft)) return;
    this.commandOf = key;
    try {
      const { command } = await post("command", values);
      if (key !== this.commandOf) return;
      setText(place.part("command"), command);
      setText(place.part("copy"), place.say("copy"));
      setText(place.part("model-problem"), "");
    } catch (problem) {
      if (key === this.commandOf) setText(place.part("model-problem"), problem.message || place.say("app_away"));
    }
  }
}
