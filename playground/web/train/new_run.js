// A new run in three steps: stories, model, run. The choices are a draft, which this tab keeps over a reload;
// everything else is on the server.

import { isBusy, progress } from "../studio/run.js";
import { get, poll, post } from "../studio/server.js";
import { givenOf } from "../studio/settings.js";
import { duration, percent } from "../studio/values.js";
import { entry, make, setText } from "../make.js";
import { storage } from "../story/storage.js";
import { draftLike, freeName, repaired, requestOf, sourceOf } from "./draft.js";
import { lengthOf } from "./lengths.js";
import { MODEL, ModelStep } from "./model_step.js";
import { STORIES, StoriesStep } from "./stories_step.js";

const KEPT = "inkling-train";
const POLL = 4000; // ms

const heading = (number, key) =>
  `<h2 id="step-${number}"><span class="number" aria-hidden="true">${number}</span> <span data-text="${key}"></span></h2>`;

export const NEW_RUN = `
<div class="panel notice" data-part="active" hidden></div>
<div class="steps">
  <div class="stack">
    <section class="panel" aria-labelledby="step-1">${heading(1, "step_stories")}${STORIES}</section>
    <section class="panel" aria-labelledby="step-2">${heading(2, "step_model")}${MODEL}</section>
  </div>
  <section class="panel start" aria-labelledby="step-3">${heading(3, "step_run")}
    <form data-part="start" novalidate>
      <dl class="figures" data-part="summary"></dl>
      <label for="run-name" data-text="run_name"></label>
      <input id="run-name" data-part="run-name" autocomplete="off" spellcheck="false" aria-describedby="run-name-hint">
      <p class="hint" id="run-name-hint" data-text="run_name_hint"></p>
      <button class="primary" data-part="go" data-text="start_run"></button>
      <button type="button" data-part="anyway" data-text="start_anyway" hidden></button>
      <p class="hint" data-text="start_hint"></p>
      <button type="button" class="quiet" data-part="clear" data-text="clear_draft"></button>
    </form>
  </section>
</div>`;

export class NewRun {
  /** @param {import("../studio/place.js").Place} place */
  constructor(place) {
    this.place = place;
    this.draft = repaired(storage.tab.value(KEPT));
    this.runs = [];
    this.estimate = null;
    this.reading = null;
    this.isNamed = Boolean(this.draft.name);
  }

  async start() {
    const { place } = this;
    await place.attempt(async () => {
      const like = new URLSearchParams(location.search).get("like");
      const [table, stories, models] = await Promise.all(["settings", "stories", "models"].map(get));
      this.table = table;
      this.models = models.models;
      if (like !== null) await this.copy(like);
      if (!table.presets.some(({ name }) => name === this.draft.preset)) this.draft.preset = "smoke";
      this.stories = new StoriesStep(this, stories);
      this.model = new ModelStep(this);
      this.changed();
    });
    place.part("start").addEventListener("submit", (event) => {
      event.preventDefault();
      this.begin(false);
    });
    place.part("anyway").addEventListener("click", () => this.begin(true));
    place.part("clear").addEventListener("click", () => {
      storage.tab.remove(KEPT);
      location.assign("train");
    });
    place.part("run-name").addEventListener("input", (event) => {
      this.isNamed = Boolean(event.target.value.trim());
      this.draft.name = event.target.value.trim();
      this.keep();
    });
    poll(() => this.look(), POLL);
  }

  /** Starts from the settings of a run. */
  async copy(name) {
    const run = await get(`runs/${encodeURIComponent(name)}`);
    this.draft = draftLike(run.preset, givenOf(run));
    history.replaceState(null, "", "train"); // a reload must keep later changes
  }

  /** The preset's values by key. */
  get preset() {
    return this.table?.presets.find(({ name }) => name === this.draft.preset)?.values ?? {};
  }

  /**
   * Changes the draft.
   * @param {object} values
   */
  change(values) {
    Object.assign(this.draft, values);
    this.changed();
  }

  changed() {
    if (!this.isNamed) this.draft.name = freeName(this.defaultName, this.names);
    const field = this.place.part("run-name");
    if (field.value !== this.draft.name && document.activeElement !== field) field.value = this.draft.name;
    this.keep();
    this.stories?.show();
    this.model?.show();
    this.showSummary();
  }

  get defaultName() {
    return this.draft.kind === "mine" && this.draft.set ? this.draft.set : this.draft.preset || "mine";
  }

  get names() {
    return this.runs.map(({ name }) => name);
  }

  keep() {
    storage.tab.set(KEPT, JSON.stringify(this.isNamed ? this.draft : { ...this.draft, name: "" }));
  }

  /** @param {any} estimate of the draft, or null until it is known */
  measured(estimate) {
    this.estimate = estimate;
    this.showSummary();
  }

  /** @param {any} reading how the stories are read, or null */
  read(reading) {
    this.reading = reading;
    this.showSummary();
  }

  showSummary() {
    const { place, draft, reading, estimate } = this;
    const length = estimate && lengthOf(estimate, draft.steps);
    const rows = [
      ["step_stories", reading ? place.say("n_stories", { n: reading.kept }) : sourceOf(draft) || "–"],
      ["step_model", draft.base ? place.say("model_from", { name: draft.base }) : draft.preset],
      ["time", length ? place.say("about", { time: duration(length.seconds, place.code) }) : "–"],
    ];
    place.part("summary").replaceChildren(...rows.map(([key, text]) => entry(place.say(key), text)));
    place.part("go").disabled = !sourceOf(draft);
  }

  // Reads the list of runs: whether one is training, and which names are taken.
  async look() {
    try {
      ({ runs: this.runs } = await get("runs"));
      this.place.back();
    } catch (problem) {
      this.place.lose(problem);
      return;
    }
    if (!this.isNamed && this.names.includes(this.draft.name)) this.changed();
    const busy = this.runs.filter(isBusy);
    const { place } = this,
      box = place.part("active");
    box.hidden = !busy.length;
    const texts = busy.map((run) => {
      const part = progress(run);
      return place.say("is_training", { name: run.name, part: part === null ? "" : percent(part, place.code) });
    });
    const names = busy.map(({ name }) => name);
    if (box.dataset.names !== names.join("/")) {
      box.dataset.names = names.join("/");
      box.replaceChildren(
        ...names.map((run) => {
          const watch = make("a", { href: `train?${new URLSearchParams({ run })}` }, place.say("watch"));
          return make("p", { className: "row spread" }, make("span"), watch);
        }),
      );
    }
    for (const [k, text] of texts.entries()) setText(box.children[k].firstChild, text);
    place.part("anyway").hidden = !busy.length || !this.isAnyway;
  }

  async begin(anyway) {
    const { place, draft } = this;
    const button = place.part("go");
    button.disabled = true;
    await place.attempt(async () => {
      await this.model?.stopMeasuring();
      const values = { name: draft.name, ...requestOf(draft), ...(anyway ? { anyway } : {}) };
      try {
        const { run } = await post("runs", values);
        storage.tab.remove(KEPT);
        location.assign(`train?${new URLSearchParams({ run: run.name })}`);
      } catch (problem) {
        this.isAnyway = problem.remedy === "anyway";
        throw problem;
      }
    });
    button.disabled = false;
    await this.look();
  }
}
