// Schedules stories on the core, as playground/engine does: tokens of several stories at once, a context window that
// slides by quarters, records of typed tokens. Slots of the KV cache keep their tokens, so that a later story can reuse
// a common prefix.

import { COLUMNS } from "../../sampling/core.js";
import { shared } from "../../story/tree.js";
import { Refused } from "../calls.js";
import { Characters } from "./characters.js";
import { nextTokens } from "./next_tokens.js";
import { neitherLongerNor, notSpelling, healed } from "./token_healing.js";
import { PATIENCE, WordsToUse } from "./words.js";

const TEXT_MAX = 20_000,
  IDS_MAX = 50_000,
  STREAMS_MAX = 8;
const NUM_ALTERNATIVES = 10; // of a record
const NOTHING_LEFT = -2; // in place of an id if all ids are banned

export class Storyteller {
  // `model`: the core's, with `slots` slots; `page`: the page's own data of the model (pack.py).
  constructor(model, tokenizer, page, slots) {
    const { start, ends, suppressed = [], suppressed_at_first: suppressedAtFirst = [] } = page;
    this.model = model;
    this.tokenizer = tokenizer;
    this.start = start;
    this.suppressed = suppressed;
    this.suppressedAtFirst = suppressedAtFirst;
    this.context = model.context;
    this.vocabulary = model.ids;
    this.ends = new Set(ends);
    this.characters = new Characters(this.vocabulary, (id) => tokenizer.bytesOf(id));
    this.held = Array.from({ length: slots }, () => []); // cached tokens of each slot; null while a story uses it
    this.borrowed = Array.from({ length: slots }, () => null); // { from, count }: a prefix that another slot holds
    this.others = new Map();
    this.spelt = new Map();
    const last = tokenizer.encode("a a").at(-1);
    this.joinsSpaces = tokenizer.bytesOf(last)[0] === 32;
  }

  // Requests of the page, answered as by the server (server/page_calls.py)

  *write(request) {
    const { ids, text, tokenId } = this.story(request);
    const { settings, seeds, opening = -1, begins_with: begins = "" } = request; // `begins`: of a link
    if (!Array.isArray(seeds) || !seeds.length || seeds.length > STREAMS_MAX)
      throw new Refused(`1 to ${STREAMS_MAX} seeds`);
    const seam = tokenId === null && !begins ? this.seam(text, true) : { bare: "", begins, word: [] };
    const typed = tokenId === null ? this.tokenizer.encode(seam.bare) : [tokenId];
    const before = ids.length + typed.length;
    const position = Math.max(0, before - (opening < 0 ? before : opening));
    const all = [this.start, ...ids, ...typed];
    const streams = seeds.map((seed, k) =>
      this.sequence(all, k ? all.length : ids.length + 1, {
        settings: { ...settings, seed },
        count: settings.length,
        position,
        begins: seam.begins,
        word: seam.word,
        mustGoOn: request.beyond_end === true,
      }),
    );
    yield { new: [], typed: typed.length, begins_with: seam.word.length ? "" : seam.begins };
    let isReported = !seam.word.length; // whether the typed word was complete
    for (const perStream of this.run(streams)) {
      const message = { new: perStream.flatMap((tokens, k) => (tokens.length ? [[k, ...columns(tokens)]] : [])) };
      if (!isReported && streams[0].isWordKept !== undefined) {
        isReported = true;
        const { isWordKept } = streams[0];
        message.typed = typed.length + (isWordKept ? seam.word.length : 0);
        message.begins_with = isWordKept ? "" : seam.begins;
      }
      yield message;
    }
    yield { new: [], ended: streams.map((one) => one.ended) };
  }

  score(request) {
    const { ids, text } = this.story(request);
    const given = request.given ? this.checked(request.given) : this.tokenizer.encode(this.seam(text).bare);
    const one = this.sequence([this.start, ...ids, ...given], ids.length + 1, { count: 0 });
    const tokens = [...this.run([one])].flatMap(([found]) => found);
    return { tokens: tokens.map(({ text: t, surprise, id }) => [t, thousandths(surprise), id]) };
  }

  // Returns the record of each token with ten alternatives. `parts`, { from, to, position, settings, begins, beyond }
  // of tokens that a model wrote, are generated again; as far as the tokens are equal, their records have the draws, as
  // in playground/engine/replay.py.
  record({ ids, parts = [] }) {
    const one = this.sequence([this.start, ...this.checked(ids)], 1, { count: 0 });
    one.isFull = true;
    const tokens = [...this.run([one])].flatMap(([found]) => found);
    for (const { from, to, position, settings, begins, beyond } of parts) {
      const again = this.sequence([this.start, ...ids.slice(0, from)], from + 1, {
        settings,
        count: to - from,
        position,
        begins,
        mustGoOn: beyond,
      });
      again.isFull = true;
      const found = [...this.run([again])].flatMap(([some]) => some);
      const idsAgain = found.map((token) => token.token_id);
      const same = shared(idsAgain, ids.slice(from, to));
      tokens.splice(from, same, ...found.slice(0, same));
      if (same < to - from) break;
    }
    return { tokens, ended: this.ends.has(ids.at(-1)) };
  }

  candidates(request) {
    const { ids, text, tokenId } = this.story(request);
    const all = [this.start, ...ids, ...this.tokenizer.encode(this.seam(text).bare)];
    // What a person chose is shown as the model has it.
    const one = this.sequence(all, all.length, { settings: request.settings, count: 0, position: 1 });
    const question = tokenId === null && request.settings ? this.question(one) : {};
    this.prefill(one, []);
    const [logits] = this.model.logits([this.column(one)]);
    one.cached += 1;
    this.leave(one);
    return nextTokens(this.model, logits, question, (id) => this.tokenizer.label(id), tokenId);
  }

  // Returns the checked parts of a request.
  story({ ids, text = "", token_id = null }) {
    if (typeof text !== "string" || text.length > TEXT_MAX) throw new Refused(`${TEXT_MAX} letters at most`);
    return { ids: this.checked(ids), text, tokenId: token_id === null ? null : this.checked([token_id])[0] };
  }

  checked(ids) {
    const good = (id) => Number.isInteger(id) && id >= 0 && id < this.vocabulary;
    if (!Array.isArray(ids) || ids.length > IDS_MAX || !ids.every(good)) {
      throw new Refused("This story holds a token that the model does not have.");
    }
    return ids;
  }

  // Applies token healing; a vocabulary whose words do not include the space before them does not need it.
  seam(text, completesWord = false) {
    if (!this.joinsSpaces) return { bare: text, begins: "", word: [] };
    return healed(text, (part) => this.tokenizer.encode(part), completesWord);
  }

  // Running stories

  // Starts a sequence. Tokens before `scored` need no record.
  sequence(ids, scored, { settings = null, count, position = 0, begins = "", word = [], mustGoOn = false }) {
    const letters = this.tokenizer.letterByLetter();
    for (const id of ids.slice(1, scored)) letters(id);
    const one = {
      ids: [...ids],
      scored,
      settings,
      count,
      position,
      begins: new TextEncoder().encode(begins),
      word,
      mustGoOn,
      beginsAt: ids.length,
      letters,
      ended: false,
    };
    one.first = this.window(scored);
    this.enter(one);
    return one;
  }

  // Gives a story the free slot with the longest common prefix; prefixes that another story is about to compute are
  // borrowed later (`share`).
  enter(one) {
    const window = one.ids.slice(one.first, one.scored - 1); // tokens without a question
    let best = -1;
    one.cached = -1;
    this.held.forEach((held, slot) => {
      if (held === null) return;
      const known = shared(held, window);
      if (known > one.cached) [best, one.cached] = [slot, known];
    });
    if (best < 0) throw new Refused("too many stories at once");
    one.slot = best;
    this.held[best] = null;
    const lent = this.borrowed[best];
    if (lent) this.borrow(lent.from, best, Math.min(lent.count, one.cached));
    this.free(best, one.cached);
  }

  // Copies a slot's borrowed prefix into it.
  own(slot) {
    if (this.borrowed[slot]) this.model.own(slot);
    this.borrowed[slot] = null;
  }

  // Before positions from `kept` on are overwritten: slots that borrowed them get a copy, or forget them if no story
  // uses the slot.
  free(slot, kept) {
    this.borrowed.forEach((one, other) => {
      if (one?.from !== slot || one.count <= kept) return;
      if (this.held[other] === null) this.own(other);
      else {
        this.held[other] = this.held[other].slice(0, kept);
        this.borrow(slot, other, kept);
      }
    });
  }

  borrow(from, slot, count) {
    this.model.borrow(from, slot, count);
    this.borrowed[slot] = count ? { from, count } : null;
  }

  leave(one) {
    this.held[one.slot] = one.ids.slice(one.first, one.first + one.cached);
  }

  // Returns the first index of the context window of `count` tokens.
  window(count) {
    const step = Math.max(1, Math.floor(this.context / 4));
    return Math.max(0, Math.ceil((count - this.context) / step)) * step;
  }

  // Yields the new tokens of each story until all have ended. Leaving the loop ends them.
  *run(sequences) {
    let running = [...sequences];
    const indexOf = new Map(sequences.map((one, k) => [one, k]));
    try {
      this.share(running);
      while (running.length) {
        const found = sequences.map(() => []);
        for (const one of running) this.prefill(one, found[indexOf.get(one)]);
        running = running.filter((one) => this.isRunning(one));
        for (let from = 0; from < running.length; from += COLUMNS) {
          this.step(running.slice(from, from + COLUMNS), found, indexOf);
        }
        running = running.filter((one) => this.isRunning(one));
        if (found.some((tokens) => tokens.length)) yield found;
      }
    } finally {
      for (const one of sequences) this.leave(one);
    }
  }

  isRunning(one) {
    return one.count > 0 && !one.ended;
  }

  // Prefills the prefix of the first story, and lets the others borrow it.
  share(sequences) {
    const [first, ...others] = sequences;
    if (!others.length) return;
    this.own(first.slot);
    this.prefill(first, [], first.scored - 1);
    for (const one of others) {
      const window = one.ids.slice(one.first, one.scored - 1);
      const known =
        one.first === first.first ? shared(first.ids.slice(first.first, first.first + first.cached), window) : 0;
      if (known <= one.cached) continue;
      this.borrow(first.slot, one.slot, known);
      one.cached = known;
    }
  }

  // Processes all tokens but the last, or up to `end`, in chunks, and appends the records of typed tokens to `found`.
  prefill(one, found, end = one.ids.length - 1) {
    while (one.first + one.cached < end) {
      const from = one.first + one.cached;
      const count = Math.min(from + COLUMNS, end, one.first + this.context) - from;
      const columns = Array.from({ length: count }, (_, k) => this.column(one, k));
      const answers = this.model.step(
        columns,
        columns.map((_, k) => this.typedQuestion(one, from + k + 1)),
      );
      for (const answer of answers) if (answer) found.push(this.recordOf(one, answer));
      one.scored = Math.max(one.scored, from + count + 1);
      one.cached += count;
      this.slide(one);
    }
  }

  // Computes one more token of up to COLUMNS stories.
  step(some, found, indexOf) {
    this.answersOf(some).forEach(([question, answer], k) => {
      const one = some[k],
        isTyped = question.known >= 0;
      one.cached += 1;
      if (!isTyped && this.hasEnded(one, answer.id)) return;
      found[indexOf.get(one)].push(this.recordOf(one, answer, isTyped ? null : question.draw));
      if (!isTyped) one.ids.push(answer.id);
      one.scored += 1;
      if (one.count) this.slide(one);
    });
  }

  // Processes the newest token of some stories; returns the question about each next token, and its answer.
  answersOf(some) {
    const columns = some.map((one) => this.column(one));
    if (!some.some((one) => one.word.length)) {
      const questions = some.map((one) => this.question(one));
      return this.model.step(columns, questions).map((answer, k) => [questions[k], answer]);
    }
    return this.model.logits(columns).map((logits, k) => {
      if (some[k].word.length) this.decideWord(some[k], logits);
      const question = this.question(some[k]);
      return [question, this.model.answer(logits, question)];
    });
  }

  // Counts a chosen token; returns whether the story ends with it.
  hasEnded(one, id) {
    if (one.begins.length) one.begins = one.begins.slice(this.tokenizer.bytesOf(id).length);
    one.mustGoOn = false;
    one.position += 1;
    if (!one.begins.length) one.count -= 1; // tokens that spell the typed prefix do not count
    one.ended = this.ends.has(id) && one.settings.stop_at_end;
    return one.ended;
  }

  // Decides whether the last typed word is complete: its first token has at least half of the probability of that token
  // and all longer ones that begin alike. A complete word stays typed; its other tokens get their records later.
  decideWord(one, logits) {
    const { word } = one;
    one.word = [];
    const banned = neitherLongerNor(word[0], one.begins, this.vocabulary, (id) => this.tokenizer.bytesOf(id));
    const likeliest = this.model.answer(logits, { banned });
    one.isWordKept = likeliest.id === word[0] && likeliest.chosen >= 0.5;
    if (!one.isWordKept) return;
    one.begins = one.begins.slice(one.begins.length);
    one.ids.push(...word);
    one.beginsAt += word.length;
    if (one.position) one.position += word.length; // draws are not counted in the opening
  }

  // Returns [id, slot, position] of a story's next token to process, or of the k-th after it.
  column(one, k = 0) {
    const at = one.cached + k;
    return [one.ids[one.first + at], one.slot, at];
  }

  // Returns the question about the existing token `at`; null if it needs no record.
  typedQuestion(one, at) {
    return at < one.scored ? null : { known: one.ids[at], alternatives: one.isFull ? NUM_ALTERNATIVES : 0 };
  }

  // Returns the question about a story's next token.
  question(one) {
    if (one.scored < one.ids.length) return this.typedQuestion(one, one.scored);
    const { settings } = one,
      words = this.words(one);
    return {
      settings,
      known: -1,
      draw: this.model.core.uniform(settings.seed, one.position),
      banned: this.banned(one, words),
      begins: words?.begins(),
      continues: words?.continues(),
      written: one.ids.length - one.beginsAt,
      seen: settings.repetition_penalty === 1 ? [] : one.ids.slice(one.first),
      alternatives: one.isFull ? NUM_ALTERNATIVES : 0,
    };
  }

  // Slides a full window to its newest three quarters, which are processed again.
  slide(one) {
    if (one.cached < this.context) return;
    this.free(one.slot, 0);
    this.borrow(one.slot, one.slot, 0); // it does not borrow any more
    one.first = this.window(one.first + one.cached + 1);
    one.cached = 0;
  }

  // `draw`: the random number that chose the token; null for a typed one.
  recordOf(one, { id, rank, probability, chosen, entropy, alternatives }, draw = null) {
    if (id === NOTHING_LEFT) throw new Refused("No word may come next: take some off the list of words to avoid.");
    if (id < 0) throw new Refused("The model computed what is not a number.");
    const text = one.letters(id);
    if (!one.isFull) return { id, text, surprise: Math.max(0, -Math.log(Math.max(probability, Number.MIN_VALUE))) };
    return {
      token_id: id,
      text,
      draw,
      probability,
      chosen_probability: chosen,
      rank,
      entropy,
      alternatives: alternatives.map(([other, odds]) => ({
        token_id: other,
        text: this.tokenizer.label(other),
        probability: odds,
      })),
    };
  }

  // The words that a story waits for; null where it waits for nothing.
  words(one) {
    const { words_to_use: wished = [], words_form: form = 1 } = one.settings;
    if (!wished.length) return null;
    // A word in another case would be raised where a name may come: "a girl named Ladder".
    const spelt = (word) => (form > 1 ? this.spellingsOf([word]) : this.bothSpellings(word));
    one.words ??= new WordsToUse(wished, spelt, this.tokenizer.letterByLetter());
    one.words.follow(one.ids.slice(1));
    return one.words.missing.length && one.ids.length - one.beginsAt < PATIENCE ? one.words : null;
  }

  // Ids that must not come now (engine/sampler.py). `words`: those that the story waits for.
  banned(one, words) {
    const found = [...this.suppressed, ...(one.position ? [] : this.suppressedAtFirst)];
    if (one.mustGoOn || words) found.push(...[...this.ends].filter((id) => id < this.vocabulary));
    for (const word of one.settings.banned_words ?? []) {
      for (const ids of this.spellings(word)) {
        const before = ids.slice(0, -1);
        if (before.every((id, k) => one.ids[one.ids.length - before.length + k] === id)) found.push(ids.at(-1));
      }
    }
    const banned = found.concat(this.characters.notContinuing(one.ids));
    if (!one.begins.length) return banned;
    return banned.concat(notSpelling(one.begins, this.vocabulary, (id) => this.tokenizer.bytesOf(id)));
  }

  spellings(word) {
    const { spaced, bare } = this.bothSpellings(word);
    return [...bare, ...spaced];
  }

  // The ids of the forms of a word, with a space before them and without.
  spellingsOf(forms) {
    const [spaced, bare] = [" ", ""].map((space) =>
      forms.map((one) => this.tokenizer.encode(space + one)).filter((ids) => ids.length),
    );
    return { spaced, bare };
  }

  // The same of a word in three cases.
  bothSpellings(word) {
    if (!this.spelt.has(word)) {
      const [letter = "", ...rest] = word;
      const cases = [...new Set([word, word.toLowerCase(), letter.toUpperCase() + rest.join("").toLowerCase()])];
      this.spelt.set(word, this.spellingsOf(cases));
    }
    return this.spelt.get(word);
  }
}

const columns = (tokens) => [
  tokens.map(({ text }) => text),
  tokens.map(({ surprise }) => thousandths(surprise)),
  tokens.map(({ id }) => id),
];

const thousandths = (number) => Math.round(number * 1000) / 1000; // fewer digits in messages and storage
