// How a model learned to write: its loss over the tokens seen, and a story of each stage. If the server has the
// snapshots, each writes any opening with the same seed and gives the probability of each word of a sentence.
//
// Requests are made one at a time: the story of the chosen stage, then its neighbours', then the rows of the table. So
// the visible stage comes first, and a server with three open snapshots is enough.

import { make } from "../make.js";
import { newSeed } from "../sampling/settings.js";
import { surpriseLevel } from "../sampling/odds.js";
import { Curve } from "./curve.js";
import { showProbabilityTable } from "./probability_table.js";

const LENGTH = 120; // tokens of a story, at most
const FIRST = 32; // tokens of a first, quicker request for its beginning
const POLL = 3000; // ms between two requests for new snapshots
const SENTENCE = /^[^.!?]*[.!?]?/u;

const FRAME = `
  <div class="now">
    <p class="hint about" data-role="about"></p>
    <form>
      <label><span data-text="learning_opening"></span><input name="opening" autocomplete="off" maxlength="500"></label>
      <button type="button" data-role="draws" data-text="learning_draws"></button>
    </form>
    <p class="tale" data-role="tale" lang="en" aria-live="polite"></p>
  </div>
  <div class="strip" data-role="strip">
    <label><span data-text="learning_sentence"></span><input name="sentence" autocomplete="off" maxlength="200"></label>
    <div class="scroll" tabindex="0" role="group" data-label="learning_strip"><table></table></div>
  </div>
  <p class="hint" data-role="note" role="status"></p>`;

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.frame = make("div", { innerHTML: FRAME });
    this.curve = new Curve((k) => this.choose(k));
    this.frame.prepend(this.curve.element);
    this.resized = new ResizeObserver(() => this.draw());
    this.seed = newSeed();
    this.answers = new Map(); // by request, see `requestFor`
    this.at = 0;
    /** @type {import("./curve.js").Stage[]} */
    this.stages = [];
    this.field("opening").addEventListener("input", () => this.draw());
    this.field("sentence").addEventListener("input", () => this.draw());
    this.frame.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    this.part("draws").addEventListener("click", () => {
      this.seed = newSeed();
      this.draw();
    });
  }

  field(name) {
    return /** @type {HTMLInputElement} */ (this.frame.querySelector(`[name="${name}"]`));
  }

  part(role) {
    return /** @type {HTMLElement} */ (this.frame.querySelector(`[data-role="${role}"]`));
  }

  show(element) {
    element.append(this.frame);
    this.model = null;
    this.isShown = true;
    this.resized.observe(this.curve.element);
    this.changed();
  }

  hide() {
    this.isShown = false;
    this.resized.disconnect();
    clearTimeout(this.polling);
  }

  // Whether the server has the snapshots, so that they can write.
  get isLive() {
    return this.stages.some(({ step }) => step !== null);
  }

  changed() {
    const { language, model } = this.given;
    language.apply(this.frame);
    this.part("tale").lang = "en";
    if (this.model !== model) this.begin(model);
    this.draw();
  }

  // Shows another model, at its last stage.
  begin(model) {
    this.model = model;
    this.stages = (model.history ?? []).map(([tokens, loss, story]) => ({ step: null, tokens, loss, story }));
    this.at = Math.max(this.stages.length - 1, 0);
    clearTimeout(this.polling);
    if (model.snapshots && this.given.source.isServer) this.poll(model);
    this.propose();
  }

  // Fills the fields with the beginning and the first sentence of the story.
  propose() {
    const story = this.given.text.trim() || this.stages.at(-1)?.story || "";
    const sentence = (SENTENCE.exec(story)?.[0] ?? story).trim();
    this.field("opening").value = sentence.split(/\s+/).slice(0, 5).join(" ");
    this.field("sentence").value = sentence.slice(0, 200);
  }

  // Asks for snapshots while the view is shown: a training run adds to them.
  async poll(model) {
    try {
      const { stages } = await this.given.source.once("page_snapshots", { model: model.name });
      if (!this.isShown || this.model !== model) return;
      if (stages.length && stages.length !== this.stages.filter(({ step }) => step !== null).length) {
        const isLast = this.at >= this.stages.length - 1; // also without stages
        const isFirst = !this.isLive;
        this.stages = stages;
        if (isLast || this.at >= stages.length) this.at = stages.length - 1;
        if (isFirst && !this.field("opening").value) this.propose();
        this.draw();
      }
    } catch {
      /* the next request may succeed */
    }
    if (this.isShown && this.model === model) this.polling = setTimeout(() => this.poll(model), POLL);
  }

  choose(k) {
    this.at = k;
    this.draw();
  }

  name({ tokens }) {
    return tokens.toLocaleString(this.given.language.code);
  }

  // The request to a stage, as a key of `answers`: each request is made once.
  requestFor(kind, stage, length = LENGTH) {
    const { model, settings } = this.given;
    const story = { settings: { ...settings, length: Math.min(settings.length, length) }, seeds: [this.seed] };
    const values =
      kind === "story"
        ? { text: this.field("opening").value, ...story }
        : { text: this.field("sentence").value.trim() };
    return JSON.stringify([`page_snapshot_${kind}`, { model: model.name, step: stage.step, ...values }]);
  }

  draw() {
    if (!this.isShown || !this.stages.length) return;
    const { language } = this.given,
      stage = this.stages[this.at];
    const about = language.say("learning_after", { n: stage.tokens });
    const loss = stage.loss?.toLocaleString(language.code, { maximumFractionDigits: 2 });
    const value = loss ? `${about} ${language.say("learning_loss", { loss })}` : about;
    this.curve.show(this.stages, this.at, language, value);
    this.part("about").textContent = value;
    this.frame.querySelector("form").hidden = !this.isLive;
    this.part("strip").hidden = !this.isLive;
    const note = this.isLive ? "" : language.say("learning_recorded");
    if (!this.failed) this.part("note").textContent = note;
    this.drawStory(stage);
    if (!this.isLive) return;
    const rows = this.stages.map((stage) => ({
      name: this.name(stage),
      tokens: this.answers.get(this.requestFor("score", stage))?.tokens ?? null,
    }));
    showProbabilityTable(this.frame.querySelector("table"), rows, this.at, language.code, (k) => this.choose(k));
    this.work();
  }

  drawStory(stage) {
    const tale = this.part("tale");
    const [beginning, whole] = [FIRST, LENGTH].map((length) =>
      this.answers.get(this.requestFor("story", stage, length)),
    );
    const story = stage.step === null ? null : (whole ?? beginning);
    tale.setAttribute("aria-busy", String(stage.step !== null && !story));
    if (stage.step === null) tale.textContent = stage.story;
    if (!story) return; // the old story stays until the new one comes
    const words = story.tokens.map(([text, surprise]) => make("span", { "data-odds": surpriseLevel(surprise) }, text));
    tale.replaceChildren(make("b", {}, story.prompt), ...words);
  }

  // The next request, or undefined.
  next() {
    const near = [this.at, this.at + 1, this.at - 1].map((k) => this.stages[k]).filter(Boolean);
    const whole = near.map((stage) => this.requestFor("story", stage));
    const requests = this.answers.has(whole[0]) ? whole : [this.requestFor("story", near[0], FIRST), ...whole];
    if (this.field("sentence").value.trim()) {
      // The nearest snapshots last, so that the server keeps them open.
      const far = this.stages.map((stage, k) => ({ stage, distance: Math.abs(k - this.at) }));
      far.sort((a, b) => b.distance - a.distance);
      requests.push(...far.map(({ stage }) => this.requestFor("score", stage)));
    }
    return requests.find((request) => !this.answers.has(request));
  }

  async work() {
    if (this.isWorking) return;
    this.isWorking = true;
    this.failed = false;
    try {
      for (let key = this.next(); key && this.isShown && this.isLive; key = this.next()) {
        const [name, request] = JSON.parse(key);
        this.answers.set(key, await this.given.source.once(name, request));
        this.draw();
      }
    } catch (problem) {
      this.failed = true;
      this.part("note").textContent = this.given.language.say("nothing", { why: problem.message });
    }
    this.isWorking = false;
  }
}
