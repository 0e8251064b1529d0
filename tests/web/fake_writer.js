// The page's story without its looks: a document, undo, and a model whose ids are made of its name, so that a
// test sees whose they are. web/editor/writer.js is the real one.

import { web } from "./modules.js";

const tree = await web("story/tree");
const { Edits } = await web("story/edits");
const { State } = await web("story/state");
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

// A source whose tokens are words.
const source = {
  score: async ({ text }) => ({ tokens: (text.match(/\s*\S+/g) ?? []).map((t, k) => [t, 1, k]) }),
};

export class FakeWriter {
  // `page`: of fake_browser.js.
  constructor(page, models, scope = "/") {
    this.page = page;
    this.models = models;
    this.said = [];
    this.isAway = false; // whether the server is
    const state = (this.state = new State({ model: models[0] })),
      note = { tell: (key) => this.said.push(key), say() {} };
    const events = { listed() {}, opened() {} };
    const stories = (this.stories = new Stories({ state, models, note }, events, new Storage(scope, page)));
    this.edits = new Edits({ state, stories, source, note });
  }

  async start(record = null) {
    const kept = await this.stories.load(record);
    this.state.set({ settings: kept.settings, odds: kept.odds });
    this.stories.show(kept);
    this.stories.keep();
    this.state.on(["doc", "odds"], () => this.stories.keep());
    return this;
  }

  get doc() {
    return this.state.now.doc;
  }

  get odds() {
    return this.state.now.odds;
  }

  get model() {
    return this.state.now.model;
  }

  get text() {
    return tree.textOf(tree.current(this.doc).tokens);
  }

  act(doc) {
    this.edits.act(doc);
  }

  write(text) {
    this.act(tree.edited(this.doc, text));
  }

  begin(text = "") {
    this.act(tree.edited(this.stories.newDocument(), text));
  }

  choose(name) {
    this.state.set({ model: this.models.find((one) => one.name === name) });
    this.act(tree.rebased(this.doc, tree.signature(this.model)));
  }

  score() {
    const text = tree.pendingText(tree.current(this.doc).tokens);
    if (this.isAway || !text.trim()) return;
    const tokens = tokensOf(this.model.name, text, -1);
    const rest = text.slice(tree.textOf(tokens).length);
    if (rest) tokens.push({ t: rest, s: null, i: null, r: -1 });
    this.state.set({ doc: this.stories.follow(this.doc, tree.scored(this.doc, tokens)) });
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
    const view = this.stories.viewOf(tree.withTokens(doc, tokensOf(name, text, -1)));
    this.state.set({ model: view.model });
    this.act(view.doc);
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
