// What the model writes: on from the story, again, at another word, or in eight ways at once.

import * as tree from "../story/tree.js";

const EIGHT = 8,
  EIGHT_LENGTH = 40; // ways, and tokens of each
const TYPED_MAX = 10_000; // characters that are sent with the wish to go on; more are read before, in parts
const KEPT_EVERY = 1000; // ms between two times that a growing story is kept

// What is kept of how something was written, so that it can be written again.
const runOf = ({ settings, seed }, request) => ({
  settings,
  seed,
  begins: "",
  beyond: request.beyond_end,
});

// Whether a stream says more than a person typed: `typed` tokens, and what its first new ones spell.
const says = (stream = [], typed, begins) =>
  stream.length > typed && tree.textOf(stream.slice(typed)).length >= begins.length;

export class Generation {
  constructor(writer) {
    this.writer = writer;
  }

  async generate() {
    const wish = this.writer.panel.wish();
    if (!wish || this.writer.writing) return;
    if (tree.pendingText(this.writer.tokens).length > TYPED_MAX && !(await this.writer.isScored())) return;
    this.writer.remember();
    if (this.writer.field("pick").checked) wish.settings.length = 1;
    const again = { doc: this.writer.doc, tokenId: null };
    await this.write(wish, again);
  }

  // The last story again from where it began, with another seed; the one before stays as a branch.
  async again() {
    if (this.writer.writing || !this.writer.last) return;
    this.writer.field("fresh").checked = true;
    const wish = this.writer.panel.wish();
    this.writer.remember();
    const { doc, tokenId } = this.writer.last;
    const from = tree.current(doc);
    this.writer.doc = tree.branched(this.writer.doc, from.tokens);
    await this.write(wish, { doc, tokenId });
  }

  // Another word where the card is: a branch begins there, and the one before stays.
  async turn(k, row) {
    if (this.writer.writing) return;
    const wish = this.writer.panel.wish();
    if (!wish) return;
    const tokens = this.writer.tokens.slice(0, k);
    this.writer.remember();
    this.writer.doc = tree.branched(this.writer.doc, tokens);
    await this.write(wish, { doc: this.writer.doc, tokenId: row.id });
  }

  // Writes on from the end of the current branch.
  async write(wish, again) {
    const { tokenId } = again,
      whole = this.writer.tokens;
    const [before, text] = tokenId === null ? tree.seam(whole) : [tree.knownTokens(whole), ""];
    const request = this.request(before, wish, [wish.seed], { text, token_id: tokenId });
    const [doc, run] = tree.withRun(this.writer.doc, runOf(wish, request));
    this.writer.doc = doc;
    const call = tokenId === null ? "write" : "branch";
    let tokens = this.writer.tokens,
      ended = false;
    await this.follow(this.writer.source[call].bind(this.writer.source), request, (message, fresh) => {
      const [one] = fresh;
      if (message.begins_with !== undefined) {
        this.writer.doc = tree.changedRun(this.writer.doc, run, { begins: message.begins_with });
      }
      const { begins } = this.writer.doc.runs[run];
      const isThere = tokenId !== null && one?.length > 0; // a token that was chosen
      tokens = isThere || says(one, message.typed, begins) ? this.grown(before, one, message.typed, run) : whole;
      ended = Boolean(message.ended?.[0]);
      this.writer.doc = tree.withTokens(this.writer.doc, tokens, ended);
      this.writer.showTokens(true);
    });
    this.writer.last = again;
    this.writer.changed();
  }

  // Tokens of a stream after those before it; the first `typed` of them were a person's.
  grown(before, all, typed, run) {
    return [...before, ...all.map((token, k) => ({ ...token, r: k < typed ? -1 : run }))];
  }

  // `values`: the text after the tokens `before`, or the token that was chosen, or what a link's run begins with.
  request(before, { settings }, seeds, values) {
    return {
      model: this.writer.model.name,
      ids: before.map((token) => token.i),
      text: "",
      token_id: null,
      settings,
      seeds,
      opening: tree.openingLength(before),
      beyond_end: this.writer.branch.ended && !values.text && (values.token_id ?? null) === null,
      ...values,
    };
  }

  // Reads the messages of a call until it ends or is stopped: `show(message, streams)` with each, the
  // streams as tokens so far.
  async follow(call, request, show) {
    const stop = (this.writer.writing = new AbortController());
    this.began = performance.now();
    const streams = request.seeds.map(() => []);
    let first = 0,
      count = 0,
      typed = 0,
      note = "",
      ended = false,
      kept = this.began;
    this.writer.card.close();
    this.writer.choices.close();
    this.writer.showWriting();
    this.writer.part("live").textContent = this.writer.language.say("writing");
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
          this.writer.keep();
        }
        note = this.pace(count, first, Math.min(...request.seeds));
        this.writer.part("note").textContent = note;
        ended = message.ended?.some(Boolean);
      }
      if (ended) note = `${this.writer.language.say("the_end")} ${note}`;
      if (stop.signal.aborted) note = `${this.writer.language.say("stopped")} ${note}`;
    } catch (problem) {
      if (stop.signal.aborted) note = `${this.writer.language.say("stopped")} ${note}`;
      else note = this.writer.why(problem);
    }
    this.writer.writing = null;
    this.writer.showWriting();
    this.writer.say(note);
  }

  pace(count, first, seed) {
    const { language } = this.writer;
    const seconds = (performance.now() - first) / 1000;
    if (!count) return this.writer.writing ? language.say("writing") : "";
    if (count < 2) return language.say("seed_was", { seed: String(seed) });
    const speed = Math.round((count - 1) / Math.max(seconds, 0.001));
    const pace = language.say("pace", { n: count, speed, first: Math.round(first - this.began) });
    return `${pace} ${language.say("seed_was", { seed: String(seed) })}`;
  }

  async eight() {
    const wish = this.writer.panel.wish();
    if (!wish || this.writer.writing) return;
    this.writer.remember();
    const seeds = Array.from({ length: EIGHT }, (_, k) => (wish.seed + k) % 2 ** 32);
    wish.settings.length = Math.min(EIGHT_LENGTH, wish.settings.length);
    if (!(await this.writer.isScored())) return;
    const whole = this.writer.tokens,
      root = this.writer.doc.current;
    const [before, text] = tree.seam(whole);
    const request = this.request(before, wish, seeds, { text });
    const runs = seeds.map((seed) => {
      const [doc, run] = tree.withRun(this.writer.doc, runOf({ ...wish, seed }, request));
      this.writer.doc = doc;
      return run;
    });
    let start = this.writer.doc,
      ids = [],
      first = null;
    await this.follow(this.writer.source.write.bind(this.writer.source), request, (message, streams) => {
      ids = [];
      first ??= message.typed; // tokens of the text that the first stream alone has
      if (message.begins_with !== undefined) {
        for (const run of runs) start = tree.changedRun(start, run, { begins: message.begins_with });
      }
      let doc = start;
      streams.forEach((stream, k) => {
        const typed = message.typed - (k ? first : 0);
        const { begins } = start.runs[runs[k]];
        const tokens = says(stream, typed, begins) ? this.grown(before, stream, typed, runs[k]) : whole;
        doc = tree.branched(tree.selected(doc, root), tokens);
        ids.push(doc.current);
        if (message.ended?.[k]) doc = tree.withTokens(doc, tree.current(doc).tokens, true);
      });
      this.writer.doc = tree.selected(doc, root);
      this.writer.choices.open("choices", ids);
    });
    this.writer.changed();
    if (ids.length) this.writer.choices.open("choices", ids);
  }
}
