// Inside: what the model computed before it chose one token. The story is coloured by attention, or by the importance
// of each earlier token; a table has the prediction of each layer (logit lens). It shows the computation; it does not
// explain the choice.

import { make, row, setAttribute } from "../make.js";
import { label } from "../sampling/bars.js";
import { percent } from "../sampling/odds.js";
import { idsOf, knownTokens } from "../story/tree.js";
import { ATTENTION, CHANGES, EVERY, level, Analysis, times } from "./analysis.js";

const DEBOUNCE = 150; // ms without another choice before the request
const IMPORTANT = 6; // tokens in the list of important ones
const MIN_SHOWN = 3; // tokens per layer, however unlikely

const PARTS = `
  <p class="hint" data-text="inside_note"></p>
  <p class="hint" data-part="inside-state" role="status"></p>
  <div class="choices-of-look">
    <div class="field"><label for="ink-inside-colour" data-text="inside_colour"></label>
      <select id="ink-inside-colour"><option value="attention" data-text="inside_attention"></option>
        <option value="removal" data-text="inside_removal"></option></select></div>
    <div class="field"><label for="ink-inside-layer" data-text="inside_layer"></label>
      <select id="ink-inside-layer"></select></div>
    <div class="field"><label for="ink-inside-head" data-text="inside_head"></label>
      <select id="ink-inside-head"></select></div>
  </div>
  <p class="scale" data-part="inside-scale" aria-hidden="true"></p>
  <p class="looked-at"><span class="before-story" data-part="inside-start"></span>
    <span data-part="inside-text" role="listbox" tabindex="0" data-label="inside_choose"></span></p>
  <p class="hint" data-text="inside_keys"></p>
  <div class="tables">
    <section><h3 data-text="inside_mattered"></h3>
      <p class="hint" data-text="inside_mattered_hint"></p>
      <ol data-part="inside-mattered"></ol>
      <p class="hint" data-part="inside-progress"></p></section>
    <section><h3 data-text="inside_lens"></h3>
      <p class="hint" data-text="inside_lens_hint"></p>
      <table><thead><tr><th scope="col" data-text="inside_layer"></th>
        <th scope="col" data-text="inside_likeliest"></th>
        <th scope="col" data-part="inside-own"></th></tr></thead><tbody data-part="inside-lens"></tbody></table></section>
  </div>`;

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.position = null; // of the chosen token
    this.layer = this.head = EVERY;
    this.colour = "attention";
    this.analysis = new Analysis();
    this.request = null; // an AbortController
  }

  show(element) {
    this.element = element;
    element.innerHTML = PARTS; // a constant, without text of a story
    this.text = this.part("text");
    this.text.addEventListener("click", (event) => this.choose(Number(event.target.dataset.position ?? NaN)));
    this.text.addEventListener("keydown", (event) => this.key(event));
    for (const name of ["colour", "layer", "head"]) {
      const field = this.field(name);
      field.addEventListener("change", () => {
        this[name] = name === "colour" ? field.value : Number(field.value);
        this.draw();
      });
    }
    this.shown = null;
    this.changed();
  }

  changed() {
    const { language, model, tokens, writing } = this.given;
    if (this.language !== language.code) this.shown = null;
    this.language = language.code;
    if (writing) return; // the finished story is shown
    const known = knownTokens(tokens);
    const story = `${model.name} ${idsOf(known)}`;
    if (this.shown === story) return;
    const isOther = this.story !== story;
    this.shown = this.story = story;
    this.known = known;
    language.apply(this.element);
    this.field("colour").value = this.colour;
    if (isOther || this.position === null) {
      this.position = known.length ? known.length - 1 : null;
      this.analysis = new Analysis();
      this.ask(0);
    }
    this.drawText();
    this.draw();
  }

  hide() {
    this.stop();
    if (this.analysis.seconds === null) this.story = null; // an interrupted analysis is requested again
  }

  part(name) {
    return /** @type {any} */ (this.element.querySelector(`[data-part="inside-${name}"]`));
  }

  field(name) {
    return /** @type {HTMLSelectElement} */ (this.element.querySelector(`#ink-inside-${name}`));
  }

  say(key, values) {
    return this.given.language.say(key, values);
  }

  // Events

  choose(position) {
    if (!this.known[position] || position === this.position) return;
    this.position = position;
    this.analysis = new Analysis();
    this.drawText();
    this.draw();
    this.ask(DEBOUNCE);
  }

  key(event) {
    const step = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 }[event.key];
    const end = { Home: 0, End: this.known.length - 1 }[event.key];
    if (step === undefined && end === undefined) return;
    event.preventDefault();
    this.choose(end ?? this.position + step);
  }

  // The server

  ask(delay) {
    this.stop();
    if (this.position === null) return;
    const stop = new AbortController(); // of this request, also when another follows
    this.request = stop;
    this.timer = setTimeout(() => this.receive(stop), delay);
  }

  async receive(stop) {
    const { model, source } = this.given;
    const request = { model: model.name, ids: idsOf(this.known), position: this.position };
    try {
      for await (const message of source.call("page_inside", request, stop.signal)) {
        if (stop.signal.aborted) return;
        this.analysis.add(message);
        this.draw();
      }
    } catch (problem) {
      if (stop.signal.aborted) return;
      this.part("state").textContent =
        problem.constructor.name === "Lost" ? this.say("lost") : this.say("nothing", { why: problem.message });
    }
  }

  stop() {
    clearTimeout(this.timer);
    this.request?.abort();
  }

  // The page

  drawText() {
    const spans = this.known.map(({ t }, k) => {
      const values = {
        role: "option",
        id: `ink-inside-${k}`,
        "data-position": k,
        "aria-label": t.trim() ? null : label(t),
        "aria-selected": k === this.position,
      };
      return make("span", values, t || "·");
    });
    this.text.replaceChildren(...spans);
    setAttribute(this.text, "aria-activedescendant", spans[this.position]?.id ?? null);
    spans[this.position]?.scrollIntoView({ block: "nearest" });
    this.part("start").textContent = this.say("inside_start");
  }

  draw() {
    const { look } = this.analysis;
    const token = this.known[this.position];
    this.part("state").textContent = !token
      ? this.say("inside_empty")
      : this.say(look ? "inside_before" : "inside_waits", { word: label(token.t) });
    this.part("own").textContent = token ? label(token.t) : "";
    if (!look) {
      for (const span of [this.part("start"), ...this.text.children]) span.removeAttribute("data-level");
      for (const name of ["mattered", "lens"]) this.part(name).replaceChildren();
      this.part("progress").textContent = "";
      return;
    }
    this.drawFields();
    this.drawColours();
    this.drawMattered();
    this.drawLens();
  }

  drawFields() {
    const { layers, heads } = this.analysis;
    this.field("layer").disabled = this.field("head").disabled = this.colour !== "attention";
    for (const [name, count, every] of [
      ["layer", layers, "inside_all_layers"],
      ["head", heads, "inside_all_heads"],
    ]) {
      const field = this.field(name);
      const shown = `${this.language} ${count}`;
      if (field.dataset.shown === shown) continue;
      field.dataset.shown = shown;
      if (this[name] >= count) this[name] = EVERY; // another model has fewer
      const options = Array.from({ length: count }, (_, k) => new Option(String(k + 1), String(k)));
      field.replaceChildren(new Option(this.say(every), String(EVERY)), ...options);
      field.value = String(this[name]);
    }
  }

  drawColours() {
    const isAttention = this.colour === "attention";
    const bounds = isAttention ? ATTENTION : CHANGES;
    const numbers = isAttention ? this.analysis.weights(this.layer, this.head) : this.analysis.changes;
    const start = this.part("start");
    const { first } = this.analysis.look;
    start.hidden = first >= 0;
    for (const span of [start, .../** @type {Iterable<HTMLElement>} */ (this.text.children)]) {
      const value = numbers.get(span === start ? -1 : Number(span.dataset.position));
      span.dataset.level = String(value === undefined ? 0 : level(isAttention ? value : Math.abs(value), bounds));
      span.classList.toggle("against", !isAttention && value > 0 && span.dataset.level !== "0");
      span.classList.toggle("unseen", span !== start && Number(span.dataset.position) < first);
      span.title = value === undefined ? "" : isAttention ? percent(value, this.language) : this.change(value);
    }
    const text = isAttention ? percent : times;
    const marks = bounds.map((bound, k) => make("i", { "data-level": k + 1 }, text(bound, this.language)));
    this.part("scale").replaceChildren(this.say(isAttention ? "inside_scale" : "inside_scale_removal"), ...marks);
  }

  // Returns a change of the log-probability in words.
  change(change) {
    return this.say(change < 0 ? "inside_less" : "inside_more", { n: times(change, this.language) });
  }

  drawMattered() {
    const important = this.analysis.mattered(IMPORTANT);
    const largest = Math.max(...important.map(([, change]) => Math.abs(change)));
    const rows = important.map(([position, change]) => {
      const bar = make("i", { className: change > 0 ? "against" : "" });
      bar.style.width = `${(100 * Math.abs(change)) / largest}%`;
      const name = make("b", {}, label(this.known[position].t));
      return make("li", {}, name, make("span", { className: "track" }, bar), make("span", {}, this.change(change)));
    });
    this.part("mattered").replaceChildren(...rows);
    const { changes, look, seconds } = this.analysis;
    const n = changes.size,
      max = this.position - Math.max(0, look.first);
    const key = seconds === null ? "inside_progress" : important.length || !n ? "inside_done" : "inside_nothing";
    this.part("progress").textContent = this.say(key, {
      n,
      max,
      s: seconds?.toLocaleString(this.language, { maximumFractionDigits: 1 }),
    });
  }

  drawLens() {
    const rows = this.analysis.look.layers.map(({ likeliest, unlearned, probability, rank }, k) => {
      const words = likeliest.map(([text, share]) => [label(text), share, ""]);
      if (unlearned >= 0.001) words.unshift([this.say("inside_unlearned"), unlearned, "unlearned"]);
      const prediction = document.createDocumentFragment();
      for (const [text, share, className] of words.filter(([, share], place) => share >= 0.001 || place < MIN_SHOWN)) {
        const chance = ` ${shareOf(share, this.language)}`;
        prediction.append(make("span", { className }, make("b", {}, text), chance), " ");
      }
      const layer = row(k ? String(k) : this.say("inside_embedding"), prediction, shareOf(probability, this.language));
      layer.lastChild.title = this.say("inside_rank", { n: rank + 1 });
      return layer;
    });
    this.part("lens").replaceChildren(...rows);
  }
}

// A probability in the table; those of early layers are often too small to be worth showing.
const shareOf = (share, language) => (share < 0.0001 ? `< ${percent(0.0001, language)}` : percent(share, language));
