// The page Models: all runs and the open models. The compared runs are in the address, so that a reload and the
// browser's back and forward buttons show the same.

import { CHART_CONTROLS, Chart, hueOf } from "../studio/chart.js";
import { writeAddress } from "../studio/run_actions.js";
import { headings, make, row, setText } from "../make.js";
import { openPlace } from "../studio/place.js";
import { get, poll } from "../studio/server.js";
import { differences } from "../studio/settings.js";
import { compact, size } from "../studio/values.js";
import { RunCard } from "./run_card.js";
import { chosenIn, withChosen } from "./compared.js";

const POLL = 2000; // ms

const MODELS = `
<section class="panel compare" aria-labelledby="compare-title" data-part="compare" hidden>
  <div class="row spread"><h2 id="compare-title" data-text="compare_curves"></h2>${CHART_CONTROLS}</div>
  <div class="chart" data-part="chart"></div>
  <h3 data-part="differences-title"></h3>
  <div class="scroll" tabindex="0" role="group" data-label="differences" data-part="differences-box">
    <table data-part="differences"></table></div>
  <p class="row"><button type="button" data-part="clear" data-text="clear_choice"></button></p>
</section>
<section class="panel" aria-labelledby="open-title">
  <h2 id="open-title" data-text="open_models"></h2>
  <ul class="open-models" data-part="open"></ul>
</section>
<section aria-labelledby="runs-title" class="stack">
  <div class="row spread"><h2 id="runs-title" data-text="runs"></h2><p class="hint" data-part="folder"></p></div>
  <p class="panel" data-part="none" hidden></p>
  <ul class="runs" data-part="runs"></ul>
</section>`;

class Models {
  /** @param {import("../studio/place.js").Place} place */
  constructor(place) {
    this.place = place;
    this.cards = new Map();
    this.curves = new Map();
    this.details = new Map();
    this.compared = "";
    this.chart = new Chart(place, place.part("chart"));
    this.chosen = chosenIn(location.search);
    place.part("clear").addEventListener("click", () => this.choose([]));
    addEventListener("popstate", () => {
      this.chosen = chosenIn(location.search);
      this.showChosen();
    });
    this.askOpen();
    this.look = poll(() => this.ask(), POLL);
  }

  async askOpen() {
    await this.place.attempt(async () => {
      const { models } = await get("models");
      const items = models.filter(({ run }) => !run).map((model) => this.openModel(model));
      this.place.part("open").replaceChildren(...items);
    });
  }

  openModel({ name, folder, parameters, open }) {
    const { place } = this;
    const about = [parameters && place.say("n_parameters", { n: compact(parameters, place.code) }), folder];
    const links = make("div", { className: "row" });
    if (open) links.append(make("a", { href: writeAddress(name) }, place.say("do_write")));
    const publish = `publish?${new URLSearchParams({ model: folder })}`;
    links.append(make("a", { href: publish }, place.say("do_publish")));
    const hint = make("span", { className: "hint" }, about.filter(Boolean).join(" · "));
    return make("li", {}, make("div", {}, make("b", {}, name), hint), links);
  }

  async ask() {
    try {
      const runs = await get("runs");
      this.place.back();
      this.show(runs);
      await this.askChosen();
    } catch (problem) {
      this.place.lose(problem);
    }
  }

  show({ folder, free_bytes, runs }) {
    const { place } = this,
      list = place.part("runs");
    this.runs = runs;
    setText(place.part("folder"), place.say("folder", { folder, free: size(free_bytes, place.code) }));
    const none = place.part("none");
    none.hidden = runs.length > 0;
    if (!runs.length && !none.firstChild)
      none.append(place.say("no_runs"), " ", make("a", { href: "train" }, place.say("new_run")));
    const names = runs.map(({ name }) => name);
    for (const [name, card] of this.cards) {
      if (names.includes(name)) continue;
      card.element.remove();
      this.cards.delete(name);
    }
    for (const [k, run] of runs.entries()) {
      if (!this.cards.has(run.name)) this.cards.set(run.name, new RunCard(this.place, run.name, this));
      const card = this.cards.get(run.name);
      card.show(run);
      if (list.children[k] !== card.element && !card.element.contains(document.activeElement))
        list.insertBefore(card.element, list.children[k] ?? null);
    }
    this.showChosen();
  }

  /** Adds a run to the compared ones, or removes it. */
  toggle(name) {
    const others = this.chosen.filter((other) => other !== name);
    this.choose(others.length < this.chosen.length ? others : [...others, name]);
  }

  choose(names) {
    this.chosen = names;
    history.pushState(null, "", withChosen(location.href, names));
    this.showChosen();
    this.askChosen().catch((problem) => this.place.refuse(problem));
  }

  showChosen() {
    const existing = this.chosen.filter((name) => this.cards.has(name));
    for (const [name, card] of this.cards) card.choose(existing.includes(name), hueOf(existing.indexOf(name)));
    this.place.part("compare").hidden = !existing.length;
    if (existing.length) this.drawCurves();
  }

  // Requests the curves and the settings of the chosen runs, again if a run has advanced.
  async askChosen() {
    for (const name of this.chosen) {
      const run = this.runs?.find((other) => other.name === name);
      const stamp = run && `${run.step} ${run.state}`;
      if (!run || this.curves.get(name)?.stamp === stamp) continue;
      const path = `runs/${encodeURIComponent(name)}`;
      this.curves.set(name, { stamp, ...(await get(`${path}/curve`)) });
      if (!this.details.has(name)) this.details.set(name, await get(path));
    }
    this.drawCurves();
    this.showDifferences();
  }

  drawCurves() {
    const { place } = this;
    const curves = this.chosen
      .filter((name) => this.curves.has(name) && this.cards.has(name))
      .map((name) => ({ name, ...this.curves.get(name) }));
    if (!curves.length || place.part("compare").hidden) return;
    const key = JSON.stringify(curves.map(({ name, stamp }) => [name, stamp]));
    if (key === this.compared) return;
    this.compared = key;
    this.chart.show(curves);
  }

  showDifferences() {
    const { place } = this;
    const runs = this.chosen.map((name) => this.details.get(name)).filter(Boolean);
    const title = place.part("differences-title"),
      table = place.part("differences");
    const isPair = runs.length > 1;
    title.hidden = place.part("differences-box").hidden = !isPair;
    if (!isPair) return;
    const rows = differences(runs);
    setText(title, place.say(rows.length ? "differences" : "no_differences"));
    const text = (value) => (value === undefined || value === "" ? "–" : String(value));
    table.replaceChildren(
      make("thead", {}, headings(place.say("setting"), ...runs.map(({ name }) => name))),
      make("tbody", {}, ...rows.map(({ key, values }) => row(key, ...values.map(text)))),
    );
  }
}

const place = await openPlace("models", MODELS);
new Models(place);
document.body.setAttribute("ready", "");
