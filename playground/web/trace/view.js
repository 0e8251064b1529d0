// Trace: underlines the parts of the story that stand in the training stories word for word, by length and rarity, and
// shows these training stories where the page has them.

import { make } from "../make.js";
import { RunFilter } from "./run_filter.js";
import { level, parts, strongest } from "./traced.js";

const LONGEST = 5; // runs listed before one is chosen

const PARTS = `
  <p class="hint" data-text="trace_note"></p>
  <p role="status" data-part="trace-share"></p>
  <p class="hint" data-part="trace-filter"></p>
  <div class="traced">
    <p data-part="trace-text" lang="en"></p>
    <section data-part="trace-runs" aria-live="polite"></section>
  </div>`;

const filters = new Map(); // by their address, once a person has opened the view

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.found = null;
    this.chosen = []; // numbers of the runs whose sources are shown
  }

  show(element) {
    this.element = element;
    element.innerHTML = PARTS; // constant: no word of a story is in it
    element.addEventListener("click", ({ target }) => this.choose(target.closest("[data-runs]")));
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      if (!event.target.matches("span[data-runs]")) return;
      event.preventDefault();
      this.choose(event.target);
    });
    this.shown = null;
    this.changed();
  }

  hide() {
    this.asked = null;
  }

  part(name) {
    return /** @type {HTMLElement} */ (this.element.querySelector(`[data-part="trace-${name}"]`));
  }

  changed() {
    const { language, model, text, writing } = this.given;
    const now = `${language.code} ${model.name} ${writing} ${text}`;
    if (this.shown === now) return;
    this.shown = now;
    language.apply(this.element);
    if (writing) {
      this.part("share").textContent = language.say("trace_writing");
      return;
    }
    if (this.found?.text === text && this.model === model.name) this.draw();
    else this.find(model, text);
  }

  async find(model, text) {
    const asked = {};
    this.asked = asked; // a later question, or hide(), drops this answer
    try {
      const found = await this.answer(model, text);
      if (this.asked !== asked) return;
      this.found = { ...found, text };
      this.model = model.name;
      this.chosen = [];
    } catch (problem) {
      if (this.asked !== asked) return;
      this.found = null;
      this.clear();
      this.part("share").textContent = problem.message || this.given.language.say("trace_failed");
      return;
    }
    this.draw();
  }

  async answer(model, text) {
    const { source } = this.given;
    if (source.isServer) return source.once("page_trace", { model: model.name, text });
    const address = new URL(model.trace, document.baseURI).href;
    if (!filters.has(address)) filters.set(address, fetched(address));
    try {
      return (await filters.get(address)).trace(text);
    } catch {
      filters.delete(address); // the next look tries again
      throw new Error();
    }
  }

  clear() {
    for (const name of ["filter", "text", "runs"]) this.part(name).replaceChildren();
  }

  draw() {
    this.clear();
    const { language } = this.given,
      { found } = this;
    const unread = found.held_out === null ? "" : language.say("trace_unread", { part: this.percent(found.held_out) });
    const said = language.say(found.runs.length ? "trace_share" : "trace_nothing", { part: this.percent(found.share) });
    this.part("share").textContent = `${said} ${unread}`.trim();
    if (found.certain !== null)
      this.part("filter").textContent = language.say("trace_filter", {
        n: found.certain,
        part: this.percent(found.false_positives, 2),
      });
    this.part("text").replaceChildren(...parts(found).map((one) => this.piece(one)));
    this.drawRuns();
  }

  percent(part, digits = 0) {
    const shown = { style: /** @type {const} */ ("percent"), maximumFractionDigits: digits };
    return part.toLocaleString(this.given.language.code, shown);
  }

  // A part of the story; one that is copied can be pressed.
  piece({ text, runs }) {
    if (!runs.length) return make("span", {}, text);
    const className = `copied copied-${level(this.found.runs[runs[0]])}`;
    return make("span", { className, "data-runs": runs.join(" "), tabIndex: 0, role: "button" }, text);
  }

  choose(node) {
    if (!node) return;
    this.chosen = node.dataset.runs.split(" ").map(Number);
    this.drawRuns();
    this.part("runs").scrollIntoView({ block: "nearest" });
  }

  drawRuns() {
    const { language } = this.given,
      { runs } = this.found;
    for (const span of this.part("text").querySelectorAll("[data-runs]")) {
      const own = /** @type {HTMLElement} */ (span).dataset.runs.split(" ").map(Number);
      span.classList.toggle("chosen", this.chosen.includes(own[0]) && own.some((run) => this.chosen.includes(run)));
    }
    if (this.chosen.length) {
      this.part("runs").replaceChildren(...this.chosen.flatMap((run) => this.details(runs[run])));
      return;
    }
    if (!runs.length) return;
    const longest = strongest(runs).slice(0, LONGEST);
    const items = longest.map((run) => {
      const button = make("button", { type: "button", className: "quiet", "data-runs": run }, this.textOf(runs[run]));
      return make("li", {}, button, this.hint(runs[run]));
    });
    this.part("runs").replaceChildren(make("h3", {}, language.say("trace_longest")), make("ol", {}, ...items));
  }

  textOf({ start, end }) {
    return this.found.text.slice(start, end);
  }

  hint({ words, stories }) {
    const key = stories === null ? "trace_words" : stories === 1 ? "trace_one_story" : "trace_stories";
    return make("p", { className: "hint" }, this.given.language.say(key, { n: words, stories }));
  }

  // A run with the training stories that hold it.
  details(run) {
    const shown = run.sources.map(({ before, text, after }) =>
      make("blockquote", { lang: "en" }, before, make("mark", {}, text), after),
    );
    return [make("h3", { lang: "en" }, this.textOf(run)), this.hint(run), ...shown];
  }
}

async function fetched(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(String(answer.status));
  return RunFilter.read(await answer.blob());
}
