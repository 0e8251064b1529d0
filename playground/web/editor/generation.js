// Generation: continue the story, try again, branch at a word, or write eight versions.

import { partWith } from "../part.js";
import * as tree from "../story/tree.js";

const EIGHT = 8,
  EIGHT_LENGTH = 40; // tokens of each version
const TYPED_MAX = 10_000; // typed characters in a request; longer texts are scored before, in parts
const KEPT_EVERY = 1000; // ms between two saves of a growing story

// Returns whether a stream has more than the typed text: `typed` tokens, and `begins`, which the next tokens spell.
const says = (stream = [], typed, begins) =>
  stream.length > typed && tree.textOf(stream.slice(typed)).length >= begins.length;

// Returns the tokens `before` followed by a stream's; the first `typed` of the stream are a person's.
const grown = (before, all, typed, run) => [
  ...before,
  ...all.map((token, k) => ({ ...token, r: k < typed ? -1 : run })),
];

export class Generation extends partWith(
  "state",
  "source",
  "language",
  "note",
  "stories",
  "edits",
  "panel",
  "choices",
) {
  async generate() {
    const wish = this.panel.wish();
    if (!wish || this.state.now.writing) return;
    if (tree.pendingText(this.state.tokens).length > TYPED_MAX && !(await this.edits.isScored())) return;
    if (this.panel.isOneWord) wish.settings.length = 1;
    const { doc } = this.state.now;
    await this.write(doc, wish, { doc, tokenId: null });
  }

  // Writes the last continuation again with another seed; the old one stays as a branch.
  async again() {
    const { doc, last, writing } = this.state.now;
    if (writing || !last) return;
    const from = tree.current(last.doc);
    await this.write(tree.branched(doc, from.tokens), this.panel.wish({ isFresh: true }), last);
  }

  // Starts a branch with another word at token k; the old branch stays.
  async branch(k, row) {
    if (this.state.now.writing) return;
    const wish = this.panel.wish();
    if (!wish) return;
    const doc = tree.branched(this.state.now.doc, this.state.tokens.slice(0, k));
    await this.write(doc, wish, { doc, tokenId: row.id });
  }

  // Continues a document's current branch. `last`: where this begins, for `again`.
  async write(from, wish, last) {
    const { tokenId } = last;
    const prepared = this.prepared(from, wish.settings, [wish.seed], tokenId);
    const { whole, before, request, firstRun: run } = prepared;
    let { doc } = prepared;
    await this.follow(request, (message, [one]) => {
      if (message.begins_with !== undefined) doc = tree.changedRun(doc, run, { begins: message.begins_with });
      const hasChosen = tokenId !== null && one?.length > 0; // the chosen token has arrived
      const hasGrown = hasChosen || says(one, message.typed, doc.runs[run].begins);
      const tokens = hasGrown ? grown(before, one, message.typed, run) : whole;
      doc = tree.withTokens(doc, tokens, Boolean(message.ended?.[0]));
      this.state.set({ doc });
    });
    this.state.set({ doc, last, writing: null });
  }

  // Returns what it takes to continue the current branch of a document `from` with each of the seeds, or with a chosen
  // token: the `whole` branch's tokens, those `before` the request's text, the request, and the document with a run for
  // each seed, from which its text can be generated again; `firstRun`: the index of the first of these.
  prepared(from, settings, seeds, tokenId = null) {
    const { tokens: whole, ended } = tree.current(from);
    const [before, text] = tokenId === null ? tree.seam(whole) : [tree.knownTokens(whole), ""];
    const beyond = ended && !text && tokenId === null;
    const { name: model } = this.state.now.model;
    const request = tree.requestOf(before, { model, settings, seeds, text, token_id: tokenId, beyond_end: beyond });
    const runs = seeds.map((seed) => ({ settings, seed, begins: "", beyond }));
    return { whole, before, request, doc: { ...from, runs: [...from.runs, ...runs] }, firstRun: from.runs.length };
  }

  // Reads the messages of a request until it ends or is stopped, and calls `show(message, streams)` with each; `streams`:
  // all tokens so far. The caller resets `writing`.
  async follow(request, show) {
    const stop = new AbortController(),
      began = performance.now();
    const streams = request.seeds.map(() => []);
    let first = 0,
      count = 0,
      typed = 0,
      note = "",
      ended = false,
      kept = began;
    this.edits.remember();
    this.state.set({ writing: stop });
    this.note.announce(this.language.say("writing"));
    try {
      for await (const message of this.source.write(request, stop.signal)) {
        if (stop.signal.aborted) break;
        tree.append(streams, message);
        typed = message.typed ?? typed;
        count = streams.reduce((sum, one) => sum + one.length, 0) - typed;
        if (count > 0 && !first) first = performance.now();
        show({ ...message, typed }, streams);
        if (performance.now() - kept > KEPT_EVERY) {
          kept = performance.now();
          this.stories.keep();
        }
        note = this.pace(count, began, first, Math.min(...request.seeds));
        this.note.show(note);
        ended = message.ended?.some(Boolean);
      }
      if (ended) note = `${this.language.say("the_end")} ${note}`;
    } catch (problem) {
      if (!stop.signal.aborted) note = this.note.why(problem);
    }
    this.note.say(stop.signal.aborted ? `${this.language.say("stopped")} ${note}` : note);
  }

  // Returns a sentence with the number of tokens and their speed.
  pace(count, began, first, seed) {
    const { language } = this;
    if (!count) return language.say("writing");
    const seedWas = language.say("seed_was", { seed: String(seed) });
    if (count < 2) return seedWas;
    const seconds = (performance.now() - first) / 1000;
    const speed = Math.round((count - 1) / Math.max(seconds, 0.001));
    return `${language.say("pace", { n: count, speed, first: Math.round(first - began) })} ${seedWas}`;
  }

  async eight() {
    const wish = this.panel.wish();
    if (!wish || this.state.now.writing) return;
    const seeds = Array.from({ length: EIGHT }, (_, k) => (wish.seed + k) % 2 ** 32);
    wish.settings.length = Math.min(EIGHT_LENGTH, wish.settings.length);
    if (!(await this.edits.isScored())) return;
    const prepared = this.prepared(this.state.now.doc, wish.settings, seeds);
    const { whole, before, request, firstRun } = prepared;
    let { doc: start } = prepared;
    const root = start.current;
    let doc = start,
      ids = [],
      firstTyped = null;
    await this.follow(request, (message, streams) => {
      ids = [];
      firstTyped ??= message.typed; // typed tokens, which only the first stream contains
      if (message.begins_with !== undefined) {
        for (const k of seeds.keys()) start = tree.changedRun(start, firstRun + k, { begins: message.begins_with });
      }
      doc = start;
      streams.forEach((stream, k) => {
        const typed = message.typed - (k ? firstTyped : 0),
          run = firstRun + k;
        const tokens = says(stream, typed, start.runs[run].begins) ? grown(before, stream, typed, run) : whole;
        doc = tree.branched(tree.selected(doc, root), tokens);
        ids.push(doc.current);
        if (message.ended?.[k]) doc = tree.withTokens(doc, tree.current(doc).tokens, true);
      });
      doc = tree.selected(doc, root);
      this.state.set({ doc });
      this.choices.open("choices", ids);
    });
    this.state.set({ doc, writing: null });
    if (ids.length) this.choices.open("choices", ids);
  }
}
