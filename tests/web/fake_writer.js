// The page's story without its looks: a document, undo, and a model whose ids are made of its name, so that a
// test sees whose they are. web/editor/writer.js is the real one.

import { web } from "./modules.js";

const tree = await web("story/tree");
const { UndoHistory } = await web("editor/history");
const { Stories } = await web("story/stories");
const { Storage } = await web("story/storage");

export const model = (name) => ({
  name,
  fingerprint: name.padEnd(16, "0").repeat(4),
  tokenizer: `tok-${name}`,
  facts: [],
  stories: 1,
});

export const idOf = (name, text) => [...name, ...text].reduce((sum, one) => (sum * 31 + one.codePointAt(0)) % 4000, 7);

const tokensOf = (name, text, run) => (text.match(/\s*\S+/g) ?? []).map((t) => ({ t, s: 1, i: idOf(name, t), r: run }));

const nothing = { replaceChildren() {} };

export class FakeWriter {
  // `page`: of fake_browser.js.
  constructor(page, models, scope = "/") {
    this.page = page;
    this.models = models;
    this.menu = { value: models[0].name };
    this.history = new UndoHistory();
    this.language = { code: "en", say: (key) => key };
    this.said = [];
    this.settings = { temperature: 1 };
    this.panel = { values: this.settings, show() {} };
    this.storiesPanel = { refresh() {} };
    this.appearance = { showTitle() {} };
    this.isAway = false; // whether the server is
    this.stories = new Stories(this, new Storage(scope, page));
  }

  async start(record = null) {
    const kept = await this.stories.load(record);
    this.odds = kept.odds;
    this.stories.show(kept);
    return this;
  }

  get model() {
    return this.models.find(({ name }) => name === this.menu.value);
  }

  get text() {
    return tree.textOf(tree.current(this.doc).tokens);
  }

  field(name) {
    return name === "model" ? this.menu : nothing;
  }

  part() {
    return nothing;
  }

  say(text) {
    this.said.push(text);
  }

  setOdds(on) {
    this.odds = on;
  }

  changed() {
    this.stories.keep();
  }

  act(doc) {
    if (doc === this.doc) return;
    this.history.remember(this.stories.keptOf(this.doc));
    this.doc = doc;
    this.changed();
  }

  write(text) {
    this.act(tree.edited(this.doc, text));
  }

  begin(text = "") {
    this.act(tree.edited(this.stories.newDocument(), text));
  }

  travel(way) {
    const doc = this.history[way](this.stories.keptOf(this.doc));
    if (!doc) return;
    this.doc = this.stories.viewOf(doc);
    this.changed();
  }

  choose(name) {
    this.menu.value = name;
    this.act(tree.rebased(this.doc, tree.signature(this.model)));
  }

  score() {
    const text = tree.pendingText(tree.current(this.doc).tokens);
    if (this.isAway || !text.trim()) return;
    const tokens = tokensOf(this.model.name, text, -1);
    const rest = text.slice(tree.textOf(tokens).length);
    if (rest) tokens.push({ t: rest, s: null, i: null, r: -1 });
    this.doc = this.stories.follow(this.doc, tree.scored(this.doc, tokens));
    this.stories.keep();
  }

  generate(text) {
    this.score();
    if (this.isAway) return;
    const [doc, run] = tree.withRun(this.doc, { settings: { temperature: 1 }, seed: text.length });
    const before = tree.knownTokens(tree.current(doc).tokens);
    this.act(tree.withTokens(doc, [...before, ...tokensOf(this.model.name, text, run)]));
  }

  // Another word at token k: a branch.
  turn(k, text) {
    this.score();
    const tokens = tree.knownTokens(tree.current(this.doc).tokens).slice(0, k);
    this.act(tree.branched(this.doc, [...tokens, ...tokensOf(this.model.name, text, -1)]));
  }

  // A link of a model that may not be here.
  open(name, text) {
    const doc = this.stories.newDocument(tree.signature(model(name)));
    this.act(this.stories.viewOf(tree.withTokens(doc, tokensOf(name, text, -1))));
  }

  // Ids that are not of the model that would sign a link.
  get foreign() {
    const {
      doc,
      model: { name },
    } = this;
    const all = Object.values(doc.branches).flatMap(({ tokens }) => tree.knownTokens(tokens));
    if (tree.hasText(doc) && !tree.isOf(doc, this.model)) return ["the document"];
    return all.filter(({ t, i }) => i !== idOf(name, t)).map(({ t }) => t);
  }
}
