// Other sentences for one of a story: where it begins and ends, and which are offered.

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { lengthOfFirst, sentenceAt } = await web("story/sentences");
const { rewrite } = await web("story/rewriting");
const { textOf } = await web("story/tree");

const tokensOf = (text) => text.match(/ ?\w+|[^\w]/g).map((t, k) => ({ t, s: 1, i: k, r: 0 }));

test("a sentence is found by any of its tokens", () => {
  const tokens = tokensOf('Tom ran. "Hi!" said Mr. Fox.\nOne day he slept.');
  const found = tokens.map((_, k) => textOf(tokens.slice(...sentenceAt(tokens, k))));
  assert.equal(found[0], "Tom ran.");
  assert.equal(found.at(-1), "One day he slept.");
  assert.deepEqual(
    [...new Set(found)].map((text) => text.trim()),
    ["Tom ran.", '"Hi!" said Mr. Fox.', "One day he slept."],
  );
});

test("a text without words has no sentence", () => {
  assert.deepEqual(sentenceAt([{ t: "\n", s: 1, i: 0, r: 0 }], 0), [0, 0]);
});

test("a sentence has its end once another one has begun", () => {
  for (const text of ["", " One", " One.", " One.\n", ' "Hi!" s', " Mr. Fox"]) assert.equal(lengthOfFirst(text), null);
  assert.equal(lengthOfFirst(" One. Two"), 5);
  assert.equal(lengthOfFirst("One.\n\nTwo"), 4);
});

// A model that draws the given sentences, finds what comes behind one as likely as `likes` says, and has
// `alternatives` [text, probability] for its tokens.
function fakeSource(drawn, likes, alternatives = {}) {
  const asked = [];
  return {
    asked,
    async *write(request) {
      asked.push(request);
      const texts = request.seeds.map((seed) => drawn[seed % drawn.length]);
      yield { new: texts.map((text, k) => [k, [text, " Then"], [0.5, 1], [100, 101]]), typed: 0 };
      throw new Error("it is asked for no more once every sentence has its end");
    },
    async record({ ids }) {
      const tokens = ids.map((id) => {
        const text = STORY[id].t,
          others = alternatives[text] ?? [];
        return {
          text,
          probability: 0.5,
          alternatives: others.map(([t, p], k) => ({ text: t, token_id: 200 + k, probability: p })),
        };
      });
      return { tokens };
    },
    async score({ ids, given }) {
      const surprise = likes(ids);
      return { tokens: given.map((id) => ["", surprise, id]) };
    },
  };
}

const STORY = tokensOf("Tom ran. He fell down. It hurt.");
const [from, to] = sentenceAt(STORY, 4);
const place = (settings = {}) => ({
  model: "m",
  tokens: STORY,
  from,
  to,
  seed: 3,
  settings: { temperature: 0.8, length: 200, words_to_use: ["fox"], stop_at_end: true, ...settings },
});

test("sentences are offered once each, the one that fits best first", async () => {
  const source = fakeSource([" He slept.", " He sang.", " He fell down."], (ids) => ids.length);
  const shown = [];
  const found = await rewrite(source, place(), new AbortController().signal, (some) => shown.push(some));
  const texts = found.map(({ tokens }) => textOf(tokens));
  assert.equal(new Set(texts).size, texts.length);
  assert.ok(texts.length <= 8 && !texts.includes(" He fell down."));
  assert.deepEqual(
    found.map(({ gain }) => gain),
    found.map(({ gain }) => gain).toSorted((one, other) => other - one),
  );
  assert.deepEqual(shown.at(-1), found);
  for (const { tokens, kept, run } of found) {
    assert.ok(tokens.slice(0, kept).every((token, k) => token === STORY[from + k]));
    assert.ok(run.seed >= 3 && run.settings.words_to_use.length === 0);
  }
  const [first] = source.asked;
  assert.deepEqual(
    first.ids,
    STORY.slice(0, from).map(({ i }) => i),
  );
  assert.equal(first.settings.temperature, 0.8);
});

test("a likely word in the place of another leaves the rest of the sentence", async () => {
  const others = [
    [" fell", 0.5], // the word itself
    [" FELL", 0.3],
    ["ing", 0.2],
    [" -", 0.1],
    [" sat", 0.04],
    [" sank", 1e-9],
  ];
  const source = fakeSource([" He fell down."], () => Math.LN2, { " fell": others, ".": [[" up", 0.4]] });
  const found = await rewrite(source, place(), new AbortController().signal);
  const [only, ...none] = found.filter(({ run }) => !run);
  assert.deepEqual(none, []);
  assert.equal(textOf(only.tokens), " He sat down.");
  assert.deepEqual([only.kept, only.run, only.gain], [1, null, 0]);
  assert.equal(only.tokens[0], STORY[from]);
  assert.deepEqual(only.tokens[1], { t: " sat", s: -Math.log(0.04), i: 204, r: -1 });
  assert.ok(only.tokens.slice(2).every(({ s, r }) => s === Math.LN2 && r === -1));
});

test("what comes behind is as likely as it was where a sentence gains nothing", async () => {
  const found = await rewrite(
    fakeSource([" He slept."], () => 2),
    place(),
    new AbortController().signal,
  );
  assert.ok(found.every(({ gain, surprises }) => gain === 0 && surprises.every((one) => one === 2)));
});

test("a sentence at the end has nothing behind it", async () => {
  const end = { ...place(), from: to, to: STORY.length };
  const [best] = await rewrite(fakeSource([" It stopped."], assert.fail), end, new AbortController().signal);
  assert.deepEqual([best.gain, best.surprises], [0, []]);
});

test("whoever stops it gets what is there", async () => {
  const stop = new AbortController();
  const source = fakeSource([" He slept."], () => 1);
  const found = await rewrite(source, place(), stop.signal, (some) => some.length && stop.abort());
  assert.equal(source.asked.length, 1);
  assert.equal(found.length, 1);
});
