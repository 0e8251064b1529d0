// <inkling-writer>: a story to write, see through and turn, in one element without a build step.
//
//   const writer = document.createElement("inkling-writer");
//   await writer.start({ source, models, texts, record });
//
// `source` has four methods: write(request, signal) and branch(request, signal), which yield messages
// { new: [[stream, texts, surprises, ids], ...], typed, ended }, and score(request) and
// candidates(request), which answer once. On the app's page that is server.js; a page without a server
// gives a worker. `models`: [{ name, context, facts: [[name, value, meaning], ...] }]; `texts`: text.json;
// `address`: what a link's text follows, if not this page's own; `server`: where pictures and files of a
// story are made, null for nowhere; `record`: a story's record to begin with; `api`: whether web/api.html shows how programs ask; `publish`: whether
// the page at publish is there.

import { Bars } from "./bars.js";
import { Branches, showSideBySide } from "./branches.js";
import { Card } from "./card.js";
import { Language } from "./language.js";
import { PAGE, titleLegend } from "./layout.js";
import { distribution } from "./odds.js";
import { PRESETS, SLIDERS, newSeed, repaired, seedOf } from "./settings.js";
import { SharePanel } from "./share_panel.js";
import { Sharing, linkIn } from "./sharing.js";
import { Sheet } from "./sheet.js";
import { canSpeak, hush, speak, whenVoicesCome } from "./speech.js";
import { Store } from "./store.js";
import * as tree from "./tree.js";

const CHARACTERS = 20_000, UNDOS = 200;
const NEARLY = 0.9; // of all characters, from where on their number is told
const EIGHT = 8, EIGHT_LENGTH = 40;
const SHOWN = 12; // bars of the next word
const KEPT_EVERY = 1000; // ms between two times that a growing story is kept
const AT_REST = 600; // ms without a key after which typed text is scored

// What is kept of how something was written, so that it can be told again.
const runOf = ({ settings, seed }, request) => ({
  settings, seed, space: request.text.endsWith(" "), beyond: request.beyond_end,
});

class Writer extends HTMLElement {
  connectedCallback() {
    this.classList.add("inkling");
  }

  async start({ source, models, texts, record = null, address = null, server = null, api = false, publish = false }) {
    Object.assign(this, { source, models, record, address, server });
    const wanted = [localStorage.getItem("inkling-language"), ...navigator.languages].filter(Boolean);
    this.language = new Language(texts, wanted);
    this.innerHTML = PAGE; // constant: no word of a story is in it
    this.past = [];
    this.future = [];
    this.writing = null;
    this.store = await Store.open();
    const kept = await this.store.load();
    this.doc = tree.unpacked(kept?.doc) ?? (record ? tree.fromRecord(record) : tree.emptyDocument());
    this.settings = repaired(kept?.settings);
    this.build(api, publish);
    if (!kept && record) this.say(this.language.say("first_story"));
    this.setOdds(kept ? Boolean(kept.odds) : Boolean(record));
    this.changed();
    this.setAttribute("ready", "");
    const link = linkIn(location.href);
    if (link !== null) await this.sharing.open(link);
  }

  part(name) {
    return this.querySelector(`[data-part="${name}"]`);
  }

  field(name) {
    return this.querySelector(`#ink-${name}`);
  }

  build(api, publish) {
    this.sheet = new Sheet(this.part("sheet"), {
      edit: (text) => this.edit(text),
      undo: () => this.undo(),
      redo: () => this.redo(),
      word: (k, opened) => this.card.open(k, opened),
      pass: (k) => this.card.pass(k),
      leave: () => this.card.leave(),
      editAt: (k) => this.editAt(k),
    });
    this.card = new Card(this, {
      ask: (token, ids) =>
        this.source.candidates({ model: this.model.name, ids, text: "", token_id: token.i }),
      turn: (k, row) => this.turn(k, row),
      failed: (problem) => this.say(this.why(problem)),
    });
    this.nextBars = new Bars(this.part("next"), (row) => this.pick(row));
    this.sharing = new Sharing(this);
    this.sharePanel = new SharePanel(this);
    this.branchList = new Branches(this.part("branches"), {
      select: (id) => this.act(tree.selected(this.doc, id)),
      rename: (id, name) => this.act(tree.renamed(this.doc, id, name)),
      prune: (id) => this.act(tree.pruned(this.doc, id)),
    });
    for (const model of this.models) this.field("model").append(new Option(model.name, model.name));
    this.part("models").hidden = this.models.length < 2;
    this.part("api").hidden = !api;
    this.part("publish").hidden = !publish;
    this.field("seed").value = "0";
    this.showSettings();
    this.addEventListener("click", (event) => this.click(event));
    this.addEventListener("input", (event) => this.input(event));
    this.addEventListener("change", (event) => this.input(event));
    document.addEventListener("keydown", (event) => this.key(event));
    addEventListener("pagehide", () => {
      this.keep();
      this.store.flush();
    });
    whenVoicesCome(() => this.showReading());
    const night = localStorage.getItem("inkling-night");
    this.setNight(night === null ? matchMedia("(prefers-color-scheme: dark)").matches : night === "1");
    this.showWords();
  }

  // What a person does

  click(event) {
    const button = event.target.closest("button");
    if (!button) return;
    const { do: action, preset, opening } = button.dataset;
    if (preset) this.usePreset(preset);
    else if (opening) this.open(opening);
    else if (action === "generate") {
      // Of a double click the second is not for Stop, which has come under the pointer.
      if (!this.writing) this.generate();
      else if (event.detail < 2) this.stop();
    }
    else if (action === "again") this.again();
    else if (action === "eight") this.eight();
    else if (action === "undo") this.undo();
    else if (action === "redo") this.redo();
    else if (action === "new") this.begin("");
    else if (action === "edit") this.editAt(this.tokens.length - 1);
    else if (action === "read") this.read();
    else if (action === "share") this.sharePanel.open();
    else if (action === "compare") this.compare();
    else if (action === "close-card") this.card.close(true);
    else if (action === "close-choices") this.closeChoices();
    else if (action === "night") this.setNight(!this.night);
    else if (action === "language") this.nextLanguage();
  }

  input(event) {
    const { id, type } = event.target;
    if (!id?.startsWith("ink-")) return;
    const name = id.slice(4);
    if (type === "range") this.settings[name] = Number(event.target.value);
    else if (name === "odds") this.setOdds(event.target.checked);
    else if (name === "stop") this.settings.stop_at_end = event.target.checked;
    else if (name === "banned") {
      this.settings.banned_words = event.target.value.split(",").map((word) => word.trim()).filter(Boolean);
    } else if (name === "seed") {
      this.field("fresh").checked = false;
      this.checkSeed();
    } else if (name === "open") {
      if (event.type === "change" || event.inputType === "insertFromPaste") this.openLink();
    } else if (name === "model" && event.type === "change") this.changeModel();
    this.showSettings();
    this.showNext();
    this.keep();
  }

  key(event) {
    const command = event.ctrlKey || event.metaKey;
    if (event.isComposing) return;
    if (command && event.key === "Enter") {
      if (!this.writing) this.generate();
    } else if (command && event.key.toLowerCase() === "z" && !/^(INPUT|TEXTAREA)$/.test(event.target.tagName)) {
      event.shiftKey ? this.redo() : this.undo();
    } else if (command && event.key.toLowerCase() === "y" && event.target === this.sheet.element) {
      this.redo();
    } else if (event.key === "Escape") {
      if (this.writing) this.stop();
      else if (this.card.isOpen) this.card.close(true);
      else if (!this.part("choices").hidden) this.closeChoices();
      else if (this.odds && !this.sheet.looking) this.look();
      else return;
    } else return;
    event.preventDefault();
  }

  // The document and what was

  get branch() {
    return tree.current(this.doc);
  }

  get tokens() {
    return this.branch.tokens;
  }

  // How a word was written, or would be.
  settingsOf(token) {
    return this.doc.runs[token.r]?.settings ?? this.settings;
  }

  get model() {
    return this.models.find(({ name }) => name === this.field("model").value) ?? this.models[0];
  }

  // Another document that Undo takes back.
  act(doc) {
    if (this.writing || doc === this.doc) return;
    this.remember();
    this.last = null;
    this.doc = doc;
    this.card.close();
    this.changed();
  }

  remember() {
    this.past.push(this.doc);
    if (this.past.length > UNDOS) this.past.shift();
    this.future = [];
    this.typing = null;
  }

  undo() {
    this.travel(this.past, this.future);
  }

  redo() {
    this.travel(this.future, this.past);
  }

  travel(from, to) {
    if (this.writing || !from.length) return;
    to.push(this.doc);
    this.doc = from.pop();
    this.typing = null;
    this.last = null;
    this.card.close();
    this.changed();
  }

  // Text that a person typed, cut or pasted.
  edit(text) {
    if (text.length > CHARACTERS) {
      this.say(this.language.say("too_long", { max: CHARACTERS, n: text.length }));
      this.showTokens();
      return;
    }
    if (this.writing || text === this.sheet.text) return;
    const now = Date.now(); // quick keys are undone together
    if (!this.typing || now - this.typing > AT_REST) this.remember();
    this.typing = now;
    this.last = null;
    this.doc = tree.edited(this.doc, text);
    this.changed();
    if (text.length > NEARLY * CHARACTERS) {
      this.say(this.language.say("nearly_full", { max: CHARACTERS, n: text.length }));
    }
  }

  open(number) {
    this.begin(this.language.say(`opening_${number}`));
  }

  // A new story; Undo brings the old one back.
  begin(text) {
    if (this.writing) return;
    this.act(tree.edited(tree.emptyDocument(), text));
    this.editAt(this.tokens.length - 1);
  }

  // A link that somebody pasted.
  async openLink() {
    const text = this.field("open").value.trim();
    if (!text || this.writing) return;
    this.field("open").value = "";
    await this.sharing.open(linkIn(text) ?? text);
  }

  changeModel() {
    this.showFacts();
    this.act(tree.edited(tree.emptyDocument(), tree.textOf(this.tokens))); // it reads for itself
  }

  // Writing

  // The settings as they are asked for, or null with a word on the page if the seed is none.
  wish() {
    if (this.field("fresh").checked) {
      const seed = newSeed();
      this.field("seed").value = String(seed);
      this.checkSeed();
      return { settings: { ...this.settings }, seed };
    }
    const seed = this.checkSeed();
    if (seed === null) {
      this.querySelector("details").open = true;
      this.field("seed").focus();
      return null;
    }
    return { settings: { ...this.settings }, seed };
  }

  checkSeed() {
    const seed = seedOf(this.field("seed").value);
    this.field("seed").setAttribute("aria-invalid", String(seed === null));
    this.part("seed-hint").textContent = this.language.say(seed === null ? "seed_wrong" : "seed_hint");
    return seed;
  }

  async generate() {
    const wish = this.wish();
    if (!wish || this.writing) return;
    this.remember();
    if (this.field("pick").checked) wish.settings.length = 1;
    const again = { doc: this.doc, tokenId: null };
    await this.write(wish, again);
  }

  // The last story again from where it began, with another seed; the one before stays as a branch.
  async again() {
    if (this.writing || !this.last) return;
    this.field("fresh").checked = true;
    const wish = this.wish();
    this.remember();
    const { doc, tokenId } = this.last;
    const from = tree.current(doc);
    this.doc = tree.branched(this.doc, from.tokens);
    await this.write(wish, { doc, tokenId });
  }

  // Writes on from the end of the current branch.
  async write(wish, again) {
    const before = tree.knownTokens(this.tokens);
    const request = this.request(before, wish, [wish.seed], again.tokenId);
    const [doc, run] = tree.withRun(this.doc, runOf(wish, request));
    this.doc = doc;
    const call = again.tokenId === null ? "write" : "branch";
    let tokens = this.tokens, ended = false;
    await this.follow(this.source[call].bind(this.source), request, (message, fresh) => {
      const [one] = fresh;
      tokens = this.grown(before, one ?? [], message.typed, run);
      ended = Boolean(message.ended?.[0]);
      this.doc = tree.withTokens(this.doc, tokens, ended);
      this.showTokens(true);
    });
    this.last = again;
    this.changed();
  }

  // Tokens of a stream after those before it; the first `typed` of them were a person's.
  grown(before, all, typed, run) {
    if (all.length < typed) return [...before, ...(tree.pendingText(this.tokens) ? [this.tokens.at(-1)] : [])];
    return [...before, ...all.map((token, k) => ({ ...token, r: k < typed ? -1 : run }))];
  }

  request(before, { settings }, seeds, tokenId = null) {
    const text = tokenId === null ? tree.pendingText(this.tokens) : "";
    return {
      model: this.model.name,
      ids: before.map((token) => token.i),
      text,
      token_id: tokenId,
      settings,
      seeds,
      opening: tree.openingLength(before),
      beyond_end: this.branch.ended && !text && tokenId === null,
    };
  }

  // Reads the messages of a call until it ends or is stopped: `show(message, streams)` with each, the
  // streams as tokens so far.
  async follow(call, request, show) {
    const stop = (this.writing = new AbortController());
    this.began = performance.now();
    const streams = request.seeds.map(() => []);
    let first = 0, count = 0, typed = 0, note = "", ended = false, kept = this.began;
    this.card.close();
    this.closeChoices();
    this.showWriting();
    this.part("live").textContent = this.language.say("writing");
    try {
      for await (const message of call(request, stop.signal)) {
        if (stop.signal.aborted) break;
        for (const [stream, texts, surprises, ids] of message.new ?? []) {
          texts.forEach((t, k) => streams[stream].push({ t, s: surprises[k], i: ids[k], r: -1 }));
        }
        typed = message.typed ?? typed;
        count = streams.reduce((sum, one) => sum + one.length, 0) - typed;
        if (count > 0 && !first) first = performance.now();
        show({ ...message, typed }, streams);
        if (performance.now() - kept > KEPT_EVERY) {
          kept = performance.now();
          this.keep();
        }
        note = this.pace(count, first, Math.min(...request.seeds));
        this.part("note").textContent = note;
        ended = message.ended?.some(Boolean);
      }
      if (ended) note = `${this.language.say("the_end")} ${note}`;
      if (stop.signal.aborted) note = `${this.language.say("stopped")} ${note}`;
    } catch (problem) {
      if (stop.signal.aborted) note = `${this.language.say("stopped")} ${note}`;
      else note = this.why(problem);
    }
    this.writing = null;
    this.showWriting();
    this.say(note);
  }

  pace(count, first, seed) {
    const { language } = this;
    const seconds = (performance.now() - first) / 1000;
    if (!count) return this.writing ? language.say("writing") : "";
    if (count < 2) return language.say("seed_was", { seed: String(seed) });
    const speed = Math.round((count - 1) / Math.max(seconds, 0.001));
    const pace = language.say("pace", { n: count, speed, first: Math.round(first - this.began) });
    return `${pace} ${language.say("seed_was", { seed: String(seed) })}`;
  }

  stop() {
    this.writing?.abort();
  }

  async eight() {
    const wish = this.wish();
    if (!wish || this.writing) return;
    this.remember();
    const seeds = Array.from({ length: EIGHT }, (_, k) => (wish.seed + k) % 2 ** 32);
    wish.settings.length = Math.min(EIGHT_LENGTH, wish.settings.length);
    if (!(await this.isScored())) return;
    const before = tree.knownTokens(this.tokens), root = this.doc.current;
    const request = this.request(before, wish, seeds);
    const runs = seeds.map((seed) => {
      const [doc, run] = tree.withRun(this.doc, runOf({ ...wish, seed }, request));
      this.doc = doc;
      return run;
    });
    const start = this.doc;
    let ids = [];
    await this.follow(this.source.write.bind(this.source), request, (message, streams) => {
      ids = [];
      let doc = start;
      streams.forEach((stream, k) => {
        doc = tree.branched(tree.selected(doc, root), this.grown(before, stream, k ? 0 : message.typed, runs[k]));
        ids.push(doc.current);
        if (message.ended?.[k]) doc = tree.withTokens(doc, tree.current(doc).tokens, true);
      });
      this.doc = tree.selected(doc, root);
      this.openChoices("choices", ids);
    });
    this.changed();
    if (ids.length) this.openChoices("choices", ids);
  }

  // One of several branches is chosen; of eight, it goes on.
  async choose(id, goesOn) {
    if (this.writing) return;
    this.closeChoices();
    this.act(tree.selected(this.doc, id));
    if (goesOn && !this.branch.ended) await this.generate();
  }

  compare() {
    const ids = tree.siblingsOf(this.doc, this.doc.current).map((branch) => branch.id).slice(0, 24);
    const { parent } = this.branch;
    if (ids.length < 2 && parent === null) {
      ids.push(...tree.childrenOf(this.doc, this.doc.current).map((branch) => branch.id).slice(0, 23));
    }
    this.openChoices("siblings", ids);
  }

  openChoices(title, ids) {
    this.part("choices").hidden = false;
    this.part("choices-title").textContent = this.language.say(title);
    showSideBySide(this.part("choices-list"), this.doc, ids, this.language, (id) =>
      this.choose(id, title === "choices"));
  }

  closeChoices() {
    this.part("choices").hidden = true;
  }

  // Looking

  setOdds(on) {
    this.odds = on;
    this.field("odds").checked = on;
    this.classList.toggle("odds", on);
    this.part("legend").hidden = !on;
    this.look(on);
  }

  look(on = this.odds) {
    this.sheet.setLooking(on && !this.writing);
    this.part("edit").hidden = !on;
    if (!on) this.card.close();
    this.keep();
  }

  // Into the text, behind word k.
  editAt(k) {
    this.card.close();
    this.sheet.setLooking(false);
    this.sheet.element.focus();
    this.sheet.setCaret(tree.textOf(this.tokens.slice(0, k + 1)).length);
  }

  // Another word where the card is: the story turns there, and the branch before stays.
  async turn(k, row) {
    if (this.writing) return;
    const wish = this.wish();
    if (!wish) return;
    const tokens = this.tokens.slice(0, k);
    this.remember();
    this.doc = tree.branched(this.doc, tokens);
    await this.write(wish, { doc: this.doc, tokenId: row.id });
  }

  // A word from the bars, at the end of the story.
  async pick(row) {
    if (this.writing || !(await this.isScored())) return;
    this.remember();
    const token = { t: row.text, s: -Math.log(Math.max(row.before, 1e-12)), i: row.id, r: -1 };
    this.doc = tree.withTokens(this.doc, [...tree.knownTokens(this.tokens), token]);
    this.changed();
    await this.askNext();
    this.part("next").querySelector("button")?.focus();
  }

  // Whether all typed text has its tokens; if not, the page says why.
  async isScored() {
    try {
      await this.scorePending();
      return true;
    } catch (problem) {
      this.say(this.why(problem));
      return false;
    }
  }

  // What went wrong, in words of the page.
  why(problem) {
    if (problem.constructor.name === "Lost") return this.language.say("lost");
    return this.language.say("nothing", { why: problem.message });
  }

  // Typed text as the model reads it, with its surprise.
  async scorePending() {
    const text = tree.pendingText(this.tokens);
    if (!text.trim() || this.writing) return;
    const doc = this.doc;
    const ids = tree.knownTokens(this.tokens).map((token) => token.i);
    const found = await this.source.score({ model: this.model.name, ids, text });
    if (this.doc !== doc || !found) return;
    const tokens = found.tokens.map(([t, s, i]) => ({ t, s, i, r: -1 }));
    const read = tree.textOf(tokens); // of some tokenizers not quite as it was typed
    const rest = text.startsWith(read) ? text.slice(read.length) : ""; // a space that belongs to the next word
    if (rest) tokens.push({ t: rest, s: null, i: null, r: -1 });
    this.doc = tree.scored(doc, tokens);
    this.showTokens();
    this.keep();
  }

  // The bars of the next word.
  async askNext() {
    const tokens = this.tokens, doc = this.doc;
    const request = {
      model: this.model.name,
      ids: tree.knownTokens(tokens).map((token) => token.i),
      text: tree.pendingText(tokens),
      token_id: null,
    };
    try {
      const found = await this.source.candidates(request);
      if (this.doc !== doc && this.tokens !== tokens) return;
      this.next = found;
      this.showNext();
    } catch { /* the bars stay as they were; what a person asks for next says why */ }
  }

  showNext() {
    if (!this.next) return;
    const { rows, restBefore, restAfter } = distribution(this.next, this.settings);
    const shown = rows.slice(0, SHOWN);
    const sum = (name) => rows.slice(SHOWN).reduce((total, row) => total + row[name], 0);
    const others = { before: restBefore + sum("before"), after: restAfter + sum("after") };
    this.nextBars.show(shown, this.language, others);
  }

  read() {
    if (this.reading) {
      hush();
      return;
    }
    this.reading = true;
    this.showReading();
    speak(this.sheet.text, "en", (offset) => this.sheet.mark(offset), () => {
      this.reading = false;
      this.sheet.mark(null);
      this.showReading();
    });
  }

  // Showing

  // All that follows from another document.
  changed() {
    this.sharePanel.close();
    this.showTokens();
    this.showWriting();
    this.branchList.show(this.doc, this.language);
    const several = Object.keys(this.doc.branches).length > 1;
    this.part("branches-room").hidden = !several;
    this.keep();
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.atRest(), this.typing ? AT_REST : 50);
  }

  async atRest() {
    if (this.writing) return;
    try {
      await this.scorePending();
    } catch { /* it is scored when the story goes on */ }
    await this.askNext();
  }

  showTokens(follow = false) {
    const bar = this.querySelector(".actions").getBoundingClientRect();
    const inSight = follow && this.sheet.endInSight(bar.top || innerHeight);
    const { tokens } = this;
    const { context } = this.model;
    const unseen = tree.outOfSight(tokens.length, context);
    this.sheet.show(tokens, unseen);
    this.classList.toggle("empty", !tokens.length);
    this.sheet.follow(inSight);
    const meter = this.field("context");
    meter.max = context || 1;
    meter.value = Math.min(tokens.length - unseen, context);
    const { language } = this;
    const slid = unseen ? ` ${language.say("out_of_sight", { n: unseen })}.` : "";
    this.part("context").textContent =
      `${language.say("context", { n: tokens.length - unseen, max: context })}.${slid}`;
  }

  showWriting() {
    const writing = Boolean(this.writing), { language } = this;
    this.classList.toggle("writing", writing);
    this.sheet.element.setAttribute("aria-busy", String(writing));
    const written = this.tokens.length > 0 && this.tokens.at(-1).r >= 0;
    const name = writing ? "stop" : written ? "continue" : "generate";
    const button = this.part("generate");
    button.textContent = language.say(name);
    button.dataset.shows = name;
    const off = { again: writing || !this.last, eight: writing, undo: writing || !this.past.length,
      redo: writing || !this.future.length, new: writing || !this.tokens.length,
      share: writing || !this.tokens.length };
    for (const [part, disabled] of Object.entries(off)) this.part(part).disabled = disabled;
    this.field("model").disabled = writing; // ids are one model's
    if (writing !== this.wasWriting) {
      if (this.odds) this.sheet.setLooking(!writing);
      this.sheet.setWritable(!writing);
      this.wasWriting = writing;
    }
    this.showReading();
  }

  showReading() {
    const button = this.part("read");
    button.hidden = !canSpeak();
    button.disabled = !this.tokens.length || Boolean(this.writing);
    button.textContent = this.language.say(this.reading ? "read_stop" : "read");
  }

  showSettings() {
    for (const { name } of SLIDERS) {
      const value = this.settings[name];
      this.field(name).value = String(value);
      this.field(`${name}-value`).textContent = value.toLocaleString(this.language.code);
    }
    this.field("stop").checked = this.settings.stop_at_end;
    if (document.activeElement !== this.field("banned")) {
      this.field("banned").value = this.settings.banned_words.join(", ");
    }
    for (const button of this.querySelectorAll("[data-preset]")) {
      const preset = PRESETS[button.dataset.preset];
      const is = Object.entries(preset).every(([name, value]) => this.settings[name] === value);
      button.setAttribute("aria-pressed", String(is));
    }
  }

  usePreset(name) {
    Object.assign(this.settings, PRESETS[name]);
    this.showSettings();
    this.showNext();
    this.keep();
  }

  showFacts() {
    const rows = this.model.facts.map(([name, value, meaning]) => {
      const row = document.createElement("div");
      for (const [tag, content] of [["dt", name], ["dd", value], ["dd", meaning]]) {
        if (content) row.appendChild(document.createElement(tag)).textContent = content;
      }
      return row;
    });
    this.part("facts").replaceChildren(...rows);
  }

  // All words of the page, after the language changed.
  showWords() {
    const { language } = this;
    language.apply(this);
    document.title = language.say("title");
    document.documentElement.lang = language.code;
    this.sheet.element.dataset.placeholder = language.say("placeholder");
    titleLegend(this, language.code);
    this.checkSeed();
    this.setNight(this.night);
    this.part("language").textContent = language.texts[language.next].language;
    this.part("language").lang = language.next;
    this.showFacts();
  }

  nextLanguage() {
    this.language.code = this.language.next;
    localStorage.setItem("inkling-language", this.language.code);
    this.showWords();
    this.showSettings();
    this.branchList.items.clear();
    this.branchList.list.replaceChildren();
    this.say("");
    this.changed();
  }

  setNight(on) {
    if (this.night !== undefined && this.night !== on) localStorage.setItem("inkling-night", on ? "1" : "0");
    this.night = on;
    document.body.classList.toggle("dark", on);
    this.part("night").textContent = this.language.say(on ? "day" : "night");
  }

  // A sentence on the page, which a screen reader reads too.
  say(sentence) {
    this.part("note").textContent = sentence;
    this.part("live").textContent = sentence;
  }

  keep() {
    if (!this.doc) return;
    this.store.save({ doc: tree.packed(this.doc), settings: this.settings, odds: this.odds });
  }
}

customElements.define("inkling-writer", Writer);
