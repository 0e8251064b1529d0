// Compare: one prompt with the same draws in two to four columns, each a model, a snapshot or other settings. The
// first word at which a column parts from the first one is marked. Two columns can be judged blind.

import { label } from "../sampling/bars.js";
import { percent, surpriseLevel } from "../sampling/odds.js";
import { newSeed, seedOf, SLIDERS } from "../sampling/settings.js";
import { fileName } from "../share/file_name.js";
import { drawBeside } from "../share/picture.js";
import { Newer } from "../story/permalink.js";
import { storage } from "../story/storage.js";
import { differing, isSame, likelihood, parting, written } from "./columns.js";
import * as link from "./link.js";
import { csv, estimates } from "./votes.js";

const COLUMNS_MAX = 4;
const LENGTH_MAX = 200; // tokens, as a snapshot writes at most
const OTHER = 1.2; // temperature of the second column where there is one model
const KEPT = "compare votes";
const OWN = SLIDERS.filter(({ name }) => name !== "length"); // settings that a column may have of its own
const NAMES = ["A", "B", "C", "D"];

const FRAME = `
  <form class="asked">
    <label class="prompt"><span data-text="compare_prompt"></span>
      <textarea name="prompt" rows="2" maxlength="2000" lang="en"></textarea></label>
    <label><span data-text="length"></span><input name="length" type="number" min="1" max="${LENGTH_MAX}" required></label>
    <label><span data-text="seed"></span><input name="seed" inputmode="numeric" maxlength="10" required></label>
    <div class="row">
      <button class="primary" data-role="write"></button>
      <button type="button" data-do="draw" data-text="compare_draw"></button>
      <button type="button" data-do="add" data-text="compare_add"></button>
      <label class="switch"><input type="checkbox" name="blind"><span data-text="compare_blind"></span></label>
      <button type="button" class="quiet" data-do="link" data-text="compare_link"></button>
      <button type="button" class="quiet" data-do="picture" data-text="compare_picture"></button>
    </div>
  </form>
  <p class="hint" data-role="note" role="status"></p>
  <div class="columns" data-role="columns"></div>
  <div class="row ballot" role="group" data-label="compare_vote" data-role="ballot" hidden>
    <button type="button" data-vote="left" data-text="compare_left"></button>
    <button type="button" data-vote="right" data-text="compare_right"></button>
    <button type="button" data-vote="tie" data-text="compare_tie"></button>
    <button type="button" data-vote="bad" data-text="compare_bad"></button>
  </div>
  <section class="votes" data-role="votes" hidden>
    <h3 data-text="compare_votes"></h3>
    <p class="hint" data-text="compare_votes_hint"></p>
    <table><thead><tr><th scope="col" data-text="compare_contender"></th><th scope="col" data-text="compare_wins"></th>
      <th scope="col" data-text="compare_interval"></th><th scope="col" data-text="compare_count"></th></tr></thead>
      <tbody></tbody></table>
    <div class="row"><button type="button" data-do="csv" data-text="compare_csv"></button>
      <button type="button" class="quiet" data-do="forget" data-text="compare_forget"></button></div>
  </section>`;

const COLUMN = `
  <div class="head">
    <h3></h3>
    <button type="button" class="quiet" data-do="remove" data-label="compare_remove">✕</button>
    <div class="chosen">
      <select name="model" data-label="compare_model"></select>
      <select name="step" data-label="compare_snapshot"></select>
      <p class="hint" data-role="how"></p>
      <details><summary data-text="compare_settings"></summary><div class="own"></div></details>
    </div>
  </div>
  <p class="tale" lang="en"></p>
  <div class="parting"></div>`;

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.frame = document.createElement("div");
    this.frame.innerHTML = FRAME; // constant: no word of a story is in it
    this.stages = new Map(); // snapshots of a model by its name, once they are known
    this.votes = storage.local.value(KEPT) ?? [];
    this.columns = null;
    this.order = []; // in which the columns are shown
    this.hidden = false; // whether names are hidden until a vote
    this.frame.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.writing) this.writing.abort();
      else this.write();
    });
    this.frame.addEventListener("click", ({ target }) => this.click(/** @type {Element} */ (target).closest("button")));
    this.frame.addEventListener("change", ({ target }) => this.change(/** @type {HTMLInputElement} */ (target)));
  }

  part(role) {
    return /** @type {HTMLElement} */ (this.frame.querySelector(`[data-role="${role}"]`));
  }

  field(name) {
    return /** @type {HTMLInputElement} */ (this.frame.querySelector(`.asked [name="${name}"]`));
  }

  say(key, values) {
    return this.given.language.say(key, values);
  }

  note(text) {
    this.part("note").textContent = text;
  }

  show(element) {
    element.append(this.frame);
    if (this.address !== location.hash || !this.columns) this.begin();
    this.shown = null;
    this.changed();
  }

  hide() {
    this.writing?.abort();
  }

  changed() {
    const { core, language, models, settings } = this.given;
    const shown = JSON.stringify([language.code, settings, models.map(({ name }) => name), Boolean(core)]);
    if (this.shown === shown) return;
    this.shown = shown;
    language.apply(this.frame);
    this.draw();
  }

  // The comparison of the address, or two columns that differ and the beginning of the story.
  begin() {
    const { model, models, settings, text } = this.given;
    this.address = location.hash;
    let found = null;
    try {
      found = link.decode(this.address, models);
    } catch (problem) {
      const key = problem instanceof link.MissingModel ? "compare_no_model" : "link_damaged";
      this.note(this.say(problem instanceof Newer ? "link_newer" : key, { name: problem.message }));
    }
    const other = models.find(({ name }) => name !== model.name);
    const columns = found?.columns.map((one) =>
      this.column(one.model.name, differing(one.settings, settings), one.step),
    );
    this.columns = columns ?? [
      this.column(model.name),
      other ? this.column(other.name) : this.column(model.name, { temperature: OTHER }),
    ];
    this.order = this.columns.map((_, k) => k);
    this.field("prompt").value = found?.prompt ?? text.trim().split(/\s+/).slice(0, 12).join(" ");
    this.field("length").value = String(Math.min(found?.length ?? settings.length, LENGTH_MAX));
    this.field("seed").value = String(found?.seed ?? newSeed());
    if (found) this.write();
  }

  column(model, own = {}, step = null) {
    this.findStages(model);
    return { model, step, own, tokens: [], done: false, parting: null };
  }

  async findStages(name) {
    const { models, source } = this.given;
    if (this.stages.has(name) || !source.isServer || !models.find((one) => one.name === name)?.snapshots) return;
    this.stages.set(name, []);
    try {
      this.stages.set(name, (await source.once("page_snapshots", { model: name })).stages);
      this.draw();
    } catch {
      this.stages.delete(name); // the next look tries again
    }
  }

  settings({ own }) {
    return { ...this.given.settings, ...own, length: Number(this.field("length").value) };
  }

  modelOf({ model }) {
    return this.given.models.find(({ name }) => name === model);
  }

  // What a person does

  click(button) {
    if (!button) return;
    const deed = button.dataset.do;
    if (button.dataset.vote) this.vote(button.dataset.vote);
    else if (deed === "draw") {
      this.field("seed").value = String(newSeed());
      this.write();
    } else if (deed === "add") this.add();
    else if (deed === "remove") this.remove(Number(button.closest("section").dataset.column));
    else if (deed === "link") this.link();
    else if (deed === "picture") this.picture();
    else if (deed === "csv") keep(new Blob([csv(this.votes)], { type: "text/csv" }), "votes.csv");
    else if (deed === "forget") {
      this.votes = [];
      storage.local.remove(KEPT);
      this.drawVotes();
    }
  }

  change(field) {
    const number = /** @type {HTMLElement | null} */ (field.closest("section[data-column]"))?.dataset.column;
    if (number === undefined) {
      if (field.name === "blind") this.draw();
      return;
    }
    const column = this.columns[Number(number)],
      row = OWN.find(({ name }) => name === field.name);
    if (field.name === "model") Object.assign(column, this.column(field.value, column.own));
    else if (field.name === "step") column.step = field.value === "" ? null : Number(field.value);
    else if (row && field.value !== "" && field.checkValidity())
      column.own = differing({ ...column.own, [row.name]: Number(field.value) }, this.given.settings);
    this.clear();
  }

  add() {
    const last = this.columns.at(-1);
    this.columns.push(this.column(last.model, { ...last.own }, last.step));
    this.clear();
  }

  remove(number) {
    this.columns.splice(number, 1);
    this.clear();
    this.frame.querySelector("form").querySelector("button").focus();
  }

  // What was written belongs to other columns.
  clear() {
    this.writing?.abort();
    this.writing = null;
    this.hidden = false;
    this.order = this.columns.map((_, k) => k);
    for (const column of this.columns) Object.assign(column, { tokens: [], done: false, parting: null });
    this.note("");
    this.draw();
  }

  // All columns write at once.
  async write() {
    const seed = seedOf(this.field("seed").value);
    if (seed === null) {
      this.note(this.say("seed_wrong"));
      return;
    }
    this.clear();
    const writing = (this.writing = new AbortController());
    const text = this.field("prompt").value;
    this.asked = { prompt: text, seed };
    this.voted = false;
    this.hidden = this.field("blind").checked && this.columns.length === 2;
    if (this.hidden && newSeed() % 2) this.order.reverse();
    this.draw();
    this.note(this.say("writing"));
    const { source } = this.given;
    const one = async (column) => {
      const asked = { text, settings: this.settings(column), seed };
      for await (const tokens of written(column, asked, source, writing.signal)) {
        if (this.writing !== writing || writing.signal.aborted) return;
        column.tokens = tokens;
        this.heard();
      }
      column.done = !writing.signal.aborted;
    };
    const ends = await Promise.allSettled(this.columns.map(one));
    if (this.writing !== writing) return;
    this.writing = null;
    const failed = ends.find(({ status }) => status === "rejected");
    const why = failed && /** @type {PromiseRejectedResult} */ (failed).reason;
    if (writing.signal.aborted) this.note(this.say("stopped"));
    else if (why) this.note(this.say(why.constructor.name === "Lost" ? "lost" : "nothing", { why: why.message }));
    else this.note(this.verdict());
    this.draw();
  }

  // More words came: each column is drawn at most once a frame.
  heard() {
    this.isDue ??= requestAnimationFrame(() => {
      this.isDue = null;
      this.findPartings();
      this.drawTales();
    });
  }

  findPartings() {
    const [first, ...others] = this.columns;
    for (const column of others) {
      const isAlike = this.modelOf(first)?.tokenizer === this.modelOf(column)?.tokenizer;
      if (column.parting) continue;
      const places = parting(first.tokens, column.tokens, isAlike);
      if (!places) continue;
      column.parting = { places, cells: null, words: [first.tokens[places[0]], column.tokens[places[1]]] };
      this.askLikelihoods(column, isAlike);
    }
  }

  // How likely both columns found both words: what each would have said.
  async askLikelihoods(column, isAlike) {
    const { parting: found } = column,
      both = [this.columns[0], column];
    const { core, source } = this.given;
    const cell = async (asked, place, word, isOwn) => {
      if (!isAlike && !isOwn) return null; // another tokenizer's token
      const given = { source, core, settings: this.settings(asked) };
      return likelihood(asked, asked.tokens.slice(0, place), word, given).catch(() => null);
    };
    found.cells = await Promise.all(
      found.words.map((word, w) => Promise.all(both.map((asked, k) => cell(asked, found.places[k], word, k === w)))),
    );
    if (column.parting === found) this.drawTales();
  }

  verdict() {
    const [first, ...others] = this.columns;
    if (others.every((column) => isSame(first.tokens, column.tokens))) return this.say("compare_same");
    if (this.hidden) return this.say("compare_judge");
    return this.say("compare_done");
  }

  vote(vote) {
    const [left, right] = this.order.map((k) => this.name(this.columns[k]));
    this.votes.push({ time: new Date().toISOString(), ...this.asked, left, right, vote });
    storage.local.set(KEPT, JSON.stringify(this.votes));
    this.hidden = false;
    this.voted = true;
    this.note(this.say("compare_voted", { left, right }));
    this.draw();
    /** @type {HTMLElement} */ (this.frame.querySelector('[data-do="draw"]')).focus();
  }

  link() {
    const columns = this.columns.map((column) => {
      return { model: this.modelOf(column), step: column.step, settings: this.settings(column) };
    });
    const [prompt, seed] = [this.field("prompt").value, seedOf(this.field("seed").value) ?? 0];
    this.address = link.encode({ prompt, length: Number(this.field("length").value), seed, columns });
    history.replaceState(null, "", location.pathname + location.search + this.address);
    navigator.clipboard?.writeText(location.href).then(
      () => this.note(this.say("copied")),
      () => this.note(this.say("compare_in_address")),
    ) ?? this.note(this.say("compare_in_address"));
  }

  async picture() {
    const { prompt, seed } = this.asked ?? {};
    const columns = this.columns.map((column) => {
      return { name: this.title(column), how: this.how(column), tokens: column.tokens };
    });
    const foot = this.say("seed_was", { seed: String(seed) });
    const title = this.say("compare_view");
    const made = await drawBeside({ title, foot, columns }, true);
    keep(made, `${fileName(prompt)}-compare.png`);
  }

  // What the columns are called

  title({ model, step }) {
    return step === null ? model : `${model} · ${this.say("compare_step", { n: step })}`;
  }

  // The settings that differ from the page's.
  how({ own }) {
    return Object.entries(own)
      .map(([name, value]) => `${this.say(name)} ${Array.isArray(value) ? value.join(", ") : value}`)
      .join(" · ");
  }

  // A contender, the same in every language.
  name({ model, step, own }) {
    const settings = Object.entries(own).map(([name, value]) => `${name} ${value}`);
    return [model, ...(step === null ? [] : [`step ${step}`]), ...settings].join(", ");
  }

  // The page

  draw() {
    if (!this.columns) return;
    const write = this.part("write");
    write.textContent = this.say(this.writing ? "stop" : "compare_write");
    write.toggleAttribute("data-shows", false);
    if (this.writing) write.dataset.shows = "stop";
    const hasText = this.columns.every(({ tokens }) => tokens.length);
    /** @type {HTMLButtonElement} */ for (const [deed, off] of [
      ["add", this.columns.length >= COLUMNS_MAX || this.hidden],
      ["picture", !hasText || this.hidden],
      ["link", this.hidden],
    ])
      this.frame.querySelector(`[data-do="${deed}"]`).disabled = Boolean(off);
    this.field("blind").disabled = this.columns.length !== 2 || Boolean(this.writing) || this.hidden;
    const place = this.part("columns");
    const focused = this.focused();
    const isOpen = [...place.querySelectorAll("details")].map(({ open }) => open);
    place.style.setProperty("--columns", String(this.columns.length));
    place.replaceChildren(...this.order.map((k, at) => this.drawColumn(k, at, isOpen[at])));
    if (focused) /** @type {HTMLElement | null} */ (place.querySelector(focused))?.focus();
    this.part("ballot").hidden = !this.hidden || Boolean(this.writing) || !this.columns.every(({ done }) => done);
    this.drawTales();
    this.drawVotes();
  }

  // Where the focus is in the columns, as a selector.
  focused() {
    const node = /** @type {HTMLInputElement | null} */ (document.activeElement);
    const section = node?.closest?.("section[data-column]");
    if (!section || !this.frame.contains(section)) return null;
    const own = node.name ? `[name="${node.name}"]` : node.localName === "summary" ? "summary" : null;
    return own && `[data-column="${/** @type {HTMLElement} */ (section).dataset.column}"] ${own}`;
  }

  drawColumn(k, at, isOpen) {
    const column = this.columns[k],
      section = document.createElement("section");
    section.innerHTML = COLUMN; // constant
    section.dataset.column = String(k);
    const heading = section.querySelector("h3");
    heading.id = `ink-compare-${k}`;
    section.setAttribute("aria-labelledby", heading.id);
    heading.textContent = this.hidden ? this.say(at ? "compare_right_one" : "compare_left_one") : NAMES[k];
    this.given.language.apply(section);
    /** @type {HTMLElement} */ (section.querySelector(".chosen")).hidden = this.hidden;
    const remove = /** @type {HTMLButtonElement} */ (section.querySelector('[data-do="remove"]'));
    remove.hidden = this.hidden || this.columns.length <= 2;
    const { models } = this.given;
    const model = /** @type {HTMLSelectElement} */ (section.querySelector('[name="model"]'));
    model.replaceChildren(...models.map(({ name }) => new Option(name, name)));
    model.value = column.model;
    const step = /** @type {HTMLSelectElement} */ (section.querySelector('[name="step"]'));
    const stages = this.stages.get(column.model) ?? [];
    step.hidden = !stages.length && column.step === null;
    const known = stages.map((stage) => stage.step);
    if (column.step !== null && !known.includes(column.step)) known.push(column.step);
    step.replaceChildren(
      new Option(this.say("compare_whole"), ""),
      ...known.map((n) => new Option(this.say("compare_step", { n }), String(n))),
    );
    step.value = column.step === null ? "" : String(column.step);
    section.querySelector('[data-role="how"]').textContent = this.how(column);
    section.querySelector("details").open = Boolean(isOpen);
    section.querySelector(".own").replaceChildren(...OWN.map((row) => this.drawSetting(column, row)));
    return section;
  }

  drawSetting(column, { name, low, high, step }) {
    const made = document.createElement("label"),
      field = document.createElement("input");
    Object.assign(field, { type: "number", name, min: String(low), max: String(high), step: String(step) });
    field.value = String(column.own[name] ?? this.given.settings[name]);
    made.append(this.say(name), field);
    return made;
  }

  drawTales() {
    for (const section of /** @type {NodeListOf<HTMLElement>} */ (this.frame.querySelectorAll("[data-column]"))) {
      const column = this.columns[Number(section.dataset.column)];
      const tale = section.querySelector(".tale");
      tale.setAttribute("aria-busy", String(Boolean(this.writing) && !column.tokens.length));
      const marked = column.parting?.places[1];
      tale.replaceChildren(...column.tokens.map((token, n) => this.word(token, n === marked)));
      section.querySelector(".parting").replaceChildren(...this.drawParting(column));
    }
  }

  word({ t, s, r }, isParting) {
    const word = document.createElement(isParting ? "mark" : r < 0 ? "b" : "span");
    word.textContent = isParting && !t ? "·" : t;
    if (r >= 0) word.dataset.odds = String(surpriseLevel(s));
    if (isParting) word.title = this.say("compare_parted");
    return word;
  }

  // The words of both columns where they part, and how likely each column found them.
  drawParting({ parting: found }) {
    if (!found) return [];
    const { code } = this.given.language;
    const table = document.createElement("table"),
      caption = document.createElement("caption");
    const k = this.columns.findIndex((column) => column.parting === found);
    caption.textContent = this.say("compare_parts");
    const names = this.hidden
      ? [0, k].map((one) => this.say(this.order.indexOf(one) ? "compare_right_one" : "compare_left_one"))
      : [NAMES[0], NAMES[k]];
    const head = table.createTHead().insertRow();
    head.append(document.createElement("td"), ...names.map((name) => headed(name, "col")));
    const body = table.createTBody();
    found.words.forEach((word, w) => {
      const row = body.insertRow();
      row.append(headed(label(word.t), "row"));
      for (const cell of found.cells?.[w] ?? [undefined, undefined]) {
        const after = cell?.after === null || cell === undefined || cell === null ? "" : percent(cell.after, code);
        const before = cell ? percent(cell.before, code) : cell === null ? "–" : "…";
        row.insertCell().textContent = after && after !== before ? `${before} → ${after}` : before;
      }
    });
    table.prepend(caption);
    return [table];
  }

  drawVotes() {
    const place = this.part("votes"),
      { code } = this.given.language;
    place.hidden = !this.votes.length;
    const chance = (x) => x.toLocaleString(code, { style: "percent" });
    const rows = estimates(this.votes).map(({ name, share, low, high, count }) => {
      const row = document.createElement("tr");
      row.append(headed(name, "row"));
      for (const text of [chance(share), `${chance(low)} – ${chance(high)}`, count.toLocaleString(code)])
        row.insertCell().textContent = text;
      return row;
    });
    place.querySelector("tbody").replaceChildren(...rows);
  }
}

function headed(text, scope) {
  const cell = document.createElement("th");
  cell.scope = scope;
  cell.textContent = text;
  return cell;
}

function keep(blob, name) {
  const made = document.createElement("a");
  made.download = name;
  made.href = URL.createObjectURL(blob);
  made.click();
  setTimeout(() => URL.revokeObjectURL(made.href), 10_000);
}
