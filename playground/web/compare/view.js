// Compare: one prompt with the same draws in two to four columns, each a model, a snapshot or other settings. The
// first word in which a column differs from the first one is marked. Two columns can be judged blind.

import { arrange, make, setText } from "../make.js";
import { newSeed, seedOf } from "../sampling/settings.js";
import { download } from "../share/download.js";
import { fileName } from "../share/file_name.js";
import { drawBeside } from "../share/picture.js";
import { Newer } from "../story/permalink.js";
import { BALLOT, Ballot } from "./ballot.js";
import { ColumnCard, how, OWN } from "./column_card.js";
import { differing, divergingPlaces, isSame, likelihood, paced, written } from "./columns.js";
import * as link from "./link.js";

const LENGTH_MAX = 200; // tokens, as a snapshot writes at most
const PROMPT_WORDS = 12; // of the story
const WARM = 1.2; // temperature of the second column where there is one model
const NAMES = ["A", "B", "C", "D"];

const FRAME = `
  <form class="asked">
    <label class="prompt"><span data-text="compare_prompt"></span>
      <textarea name="prompt" rows="2" maxlength="2000" lang="en"></textarea></label>
    <label><span data-text="length"></span><input name="length" type="number" min="1" max="${LENGTH_MAX}" required></label>
    <label><span data-text="seed"></span><input name="seed" inputmode="numeric" maxlength="10" required></label>
    <div class="row">
      <button class="primary" data-role="write"></button>
      <button type="button" data-role="draws" data-text="learning_draws"></button>
      <button type="button" data-role="add" data-text="compare_add"></button>
      <label class="switch"><input type="checkbox" name="blind"><span data-text="compare_blind"></span></label>
      <button type="button" class="quiet" data-role="link" data-text="compare_link"></button>
      <button type="button" class="quiet" data-role="picture" data-text="compare_picture"></button>
    </div>
  </form>
  <p class="hint" data-role="note" role="status"></p>
  <div class="columns" data-role="columns"></div>${BALLOT}`;

/**
 * Where a column differs from the first one.
 * @typedef {object} Divergence
 * @property {[number, number]} places in the first column and in this one
 * @property {[Token, Token]} words there
 * @property {({before: number, after: number | null} | null)[][] | null} cells the probability of each word (rows) in each
 *   of the two columns; null until it is known
 */

/** @typedef {import("./columns.js").Column & {tokens: Token[], isDone: boolean, divergence: Divergence | null}} Shown */

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.frame = make("div", { innerHTML: FRAME }); // constant: no word of a story is in it
    this.ballot = new Ballot(this.frame, (vote) => this.vote(vote));
    this.stages = new Map(); // snapshots of a model by its name, once they are known
    /** @type {AbortController | null} */
    this.writing = null;
    /** @type {Shown[]} */
    this.columns = [];
    this.cards = [];
    this.order = []; // in which the columns are shown
    this.isBlind = false; // as long as a vote is due
    this.frame.querySelector("form").addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.writing) this.writing.abort();
      else this.write();
    });
    this.part("draws").onclick = () => this.redraw();
    this.part("add").onclick = () => this.add();
    this.part("link").onclick = () => this.link();
    this.part("picture").onclick = () => this.picture();
  }

  part(role) {
    return /** @type {any} */ (this.frame.querySelector(`[data-role="${role}"]`));
  }

  field(name) {
    return /** @type {HTMLInputElement} */ (this.frame.querySelector(`.asked [name="${name}"]`));
  }

  say(key, values) {
    return this.given.language.say(key, values);
  }

  note(text) {
    setText(this.part("note"), text);
  }

  show(element) {
    element.append(this.frame);
    if (!this.columns.length || this.address !== location.hash) this.begin();
    this.changed();
  }

  hide() {
    this.writing?.abort();
  }

  changed() {
    const { language, models, settings } = this.given;
    if (this.address !== location.hash) this.begin();
    const shown = JSON.stringify([language.code, settings, models.map(({ name }) => name)]);
    if (this.shown === shown) return;
    this.shown = shown;
    language.apply(this.frame);
    this.draw();
  }

  // The comparison of the address, or two columns that differ and the beginning of the story.
  begin() {
    const { model, models, settings, text } = this.given;
    this.address = location.hash;
    let found = null,
      why = "";
    try {
      found = link.decode(this.address, models);
    } catch (problem) {
      const key = problem instanceof link.MissingModel ? "compare_no_model" : "link_damaged";
      why = this.say(problem instanceof Newer ? "link_newer" : key, { name: problem.message });
    }
    const other = models.find(({ name }) => name !== model.name);
    this.columns = found?.columns.map((one) =>
      this.column(one.model.name, one.step, differing(one.settings, settings)),
    ) ?? [
      this.column(model.name),
      other ? this.column(other.name) : this.column(model.name, null, { temperature: WARM }),
    ];
    this.field("prompt").value = found?.prompt ?? text.trim().split(/\s+/).slice(0, PROMPT_WORDS).join(" ");
    this.field("length").value = String(Math.min(found?.length ?? settings.length, LENGTH_MAX));
    this.field("seed").value = String(found?.seed ?? newSeed());
    this.clear();
    this.note(why);
    if (found) this.write();
  }

  /** @returns {Shown} */
  column(model, step = null, own = {}) {
    this.findStages(model);
    return { model, step, own, tokens: [], isDone: false, divergence: null };
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

  redraw() {
    this.field("seed").value = String(newSeed());
    this.write();
  }

  choose(column, name, value) {
    if (name === "model") Object.assign(column, this.column(value, null, column.own));
    else if (name === "step") column.step = value === "" ? null : Number(value);
    else if (OWN.some((row) => row.name === name))
      column.own = differing({ ...column.own, [name]: Number(value) }, this.given.settings);
    this.clear();
  }

  add() {
    const { model, step, own } = this.columns.at(-1);
    this.columns.push(this.column(model, step, { ...own }));
    this.clear();
  }

  remove(column) {
    this.columns = this.columns.filter((one) => one !== column);
    this.clear();
    this.part("add").focus();
  }

  // What was written belongs to other columns.
  clear() {
    this.writing?.abort();
    this.writing = null;
    this.isBlind = false;
    for (const column of this.columns) Object.assign(column, { tokens: [], isDone: false, divergence: null });
    this.order = this.columns.map((_, k) => k);
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
    this.asked = { prompt: this.field("prompt").value, seed };
    this.isBlind = this.field("blind").checked && this.columns.length === 2;
    if (this.isBlind && newSeed() % 2) this.order.reverse();
    this.draw();
    this.note(this.say("writing"));
    const ends = await Promise.allSettled(this.columns.map((column) => this.follow(column, writing)));
    if (this.writing !== writing) return;
    this.writing = null;
    const problem = /** @type {PromiseRejectedResult} */ (ends.find(({ status }) => status === "rejected"))?.reason;
    if (!writing.signal.aborted && !problem) this.findDivergences();
    this.draw();
    if (writing.signal.aborted) this.note(this.say("stopped"));
    else if (problem) this.note(this.say("nothing", { why: problem.message || this.say("compare_lost") }));
    else this.note(this.say(this.verdict()));
  }

  async follow(column, writing) {
    const asked = { text: this.asked.prompt, settings: this.settings(column), seed: this.asked.seed };
    for await (const tokens of written(column, asked, this.given.source, writing.signal)) {
      if (this.writing !== writing || writing.signal.aborted) return;
      column.tokens = tokens;
      this.isDue ??= requestAnimationFrame(() => {
        this.isDue = null;
        this.findDivergences();
        this.drawStories();
      });
    }
    column.isDone = !writing.signal.aborted;
  }

  verdict() {
    const [first, ...others] = this.columns;
    if (others.every(({ tokens }) => isSame(first.tokens, tokens))) return "compare_same";
    return this.isBlind ? "compare_judge" : "compare_done";
  }

  findDivergences() {
    const [first, ...others] = this.columns;
    for (const column of others.filter(({ divergence }) => !divergence)) {
      const isAlike = this.modelOf(first)?.tokenizer === this.modelOf(column)?.tokenizer;
      const places = divergingPlaces(first.tokens, column.tokens, isAlike);
      if (!places) continue;
      column.divergence = { places, words: [first.tokens[places[0]], column.tokens[places[1]]], cells: null };
      this.findLikelihoods([first, column], column.divergence, isAlike);
    }
  }

  async findLikelihoods(both, divergence, isAlike) {
    const { core, source } = this.given;
    const find = (k, w) => {
      if (k !== w && !isAlike) return null; // a token that the other tokenizer has not
      const given = { source, core, settings: this.settings(both[k]) };
      return likelihood(both[k], both[k].tokens.slice(0, divergence.places[k]), divergence.words[w], given).catch(
        () => null,
      );
    };
    divergence.cells = await Promise.all([0, 1].map((w) => Promise.all([0, 1].map((k) => find(k, w)))));
    this.drawStories();
  }

  vote(vote) {
    const [left, right] = this.order.map((k) => this.contender(this.columns[k]));
    this.ballot.add({ ...this.asked, left, right, vote });
    this.isBlind = false;
    this.draw();
    this.note(this.say("compare_voted", { left, right }));
    this.part("draws").focus();
  }

  async link() {
    const columns = this.columns.map((column) => {
      return { model: this.modelOf(column), step: column.step, settings: this.settings(column) };
    });
    const [prompt, seed] = [this.field("prompt").value, seedOf(this.field("seed").value) ?? 0];
    this.address = link.encode({ prompt, length: Number(this.field("length").value), seed, columns });
    history.replaceState(null, "", location.pathname + location.search + this.address);
    try {
      await navigator.clipboard.writeText(location.href);
      this.note(this.say("copied"));
    } catch {
      this.note(this.say("compare_in_address")); // a page that is not served by https has no clipboard
    }
  }

  async picture() {
    const columns = this.columns.map((column, k) => {
      const step = column.step === null ? "" : ` · ${this.say("compare_step", { n: column.step })}`;
      const name = `${NAMES[k]}: ${column.model}${step}`;
      return { name, how: how(column, this.given.language), tokens: column.tokens };
    });
    const foot = this.say("seed_was", { seed: String(this.asked.seed) });
    const made = await drawBeside({ title: this.say("compare_view"), foot, columns }, true);
    download(made, `${fileName(this.asked.prompt)}-compare.png`);
  }

  // What a column is called in votes, the same in every language.
  contender({ model, step, own }) {
    const settings = Object.entries(own).map(([name, value]) => `${name} ${value}`);
    return [model, ...(step === null ? [] : [`step ${step}`]), ...settings].join(", ");
  }

  // The page

  nameOf(k) {
    return this.isBlind ? this.say(this.order.indexOf(k) ? "compare_right_one" : "compare_left_one") : NAMES[k];
  }

  draw() {
    const { language, models, settings } = this.given,
      { columns, isBlind } = this;
    const isWriting = this.writing !== null;
    setText(this.part("write"), this.say(isWriting ? "stop" : "compare_write"));
    this.part("write").dataset.shows = isWriting ? "stop" : "write";
    this.part("add").disabled = isBlind || columns.length >= link.COLUMNS_MAX;
    this.part("link").disabled = isBlind;
    this.part("picture").disabled = isBlind || !columns.every(({ tokens }) => tokens.length);
    this.field("blind").disabled = isWriting || columns.length !== 2;
    while (this.cards.length < columns.length) {
      const k = this.cards.length;
      const choose = (name, value) => this.choose(this.columns[k], name, value);
      this.cards.push(new ColumnCard(k, { choose, remove: () => this.remove(this.columns[k]) }));
    }
    columns.forEach((column, k) => {
      const stages = this.stages.get(column.model) ?? [];
      const canGo = columns.length > 2 && !isBlind;
      this.cards[k].draw(column, { name: this.nameOf(k), isBlind, canGo, models, stages, settings, language });
    });
    this.part("columns").style.setProperty("--columns", String(columns.length));
    const elements = this.order.map((k) => this.cards[k].element);
    arrange(this.part("columns"), elements);
    this.ballot.draw(isBlind && !isWriting && columns.every(({ isDone }) => isDone), language.code);
    this.drawStories();
  }

  drawStories() {
    const { language } = this.given,
      { columns, isBlind } = this;
    const stories = isBlind ? paced(columns) : columns.map(({ tokens }) => tokens);
    columns.forEach((column, k) => {
      const isWaiting = this.writing !== null && !stories[k].length;
      const divergence = isBlind ? null : column.divergence; // it is marked in all columns but the first
      const names = [this.nameOf(0), this.nameOf(k)];
      this.cards[k].drawStory(stories[k], divergence, { names, isWaiting, language });
    });
  }
}
