// Compare: where two stories differ, how likely both words were, the estimate from votes, and links.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isClose, web } from "./modules.js";

const { differing, divergingPlaces, isSame, likelihood, paced, written } = await web("compare/columns");
const { csv, estimates } = await web("compare/votes");
const { decode, encode, MissingModel } = await web("compare/link");
const { Damaged } = await web("story/permalink");
const { defaults } = await web("sampling/settings");

const story = (typed, ...words) => [
  ...typed.map((t) => ({ t, s: 1, i: 9, r: -1 })),
  ...words.map((t) => ({ t, s: 1, i: t.length, r: 0 })),
];

test("stories differ at the first other token, whatever their prompt was read as", () => {
  const one = story(["A fox"], " ran", " home", " again");
  assert.deepEqual(divergingPlaces(one, story(["A", " fox"], " ran", " homewards"), true), [2, 3]);
  assert.equal(divergingPlaces(one, story(["A fox"], " ran"), true), null);
  assert.equal(divergingPlaces(one, story(["A fox"]), true), null);
  assert.equal(divergingPlaces([], [], true), null);
});

test("a prompt's last word that is whole in one story and part of a longer word in the other is where they differ", () => {
  const whole = story(["A fox lived", " in"], " a", " den"),
    longer = story(["A", " fox lived"], " involving", " a");
  assert.deepEqual(divergingPlaces(whole, longer, true), [1, 2]);
  assert.deepEqual(divergingPlaces(longer, whole, true), [2, 1]);
  assert.equal(divergingPlaces(whole, story(["A", " fox lived"]), true), null);
  assert.ok(!isSame(whole, longer));
  // A snapshot's prompt has no ids: its letters are compared.
  const words = ["A", " fox lived", " in"].map((t) => ({ t, s: null, i: null, r: -1 }));
  assert.deepEqual(divergingPlaces([...words, ...story([], " a")], longer, true), [2, 2]);
});

test("with other tokenizers stories differ where their texts do", () => {
  const one = story(["A fox"], " ran", " home");
  assert.equal(divergingPlaces(one, story(["A", " fox"], " r", "an", " ho"), false), null);
  assert.deepEqual(divergingPlaces(one, story(["A", " fox"], " r", "an", " hid"), false), [2, 4]);
  assert.deepEqual(divergingPlaces(one, story(["A fox"], " rested"), false), [1, 1]);
});

test("stories are the same if no token is another one or missing", () => {
  const one = story(["A"], " b", " cc");
  assert.ok(isSame(one, story(["A"], " b", " cc")));
  assert.ok(!isSame(one, story(["A"], " b")));
  assert.ok(!isSame(one, story(["A"], " b", " ccc")));
});

test("a column's own settings are those that differ", () => {
  const page = defaults();
  assert.deepEqual(differing(page, defaults()), {});
  const own = { ...page, temperature: 1.2, banned_words: ["no"], length: 3 };
  assert.deepEqual(differing(own, page), { temperature: 1.2, banned_words: ["no"] });
});

async function all(column, source) {
  const asked = { text: "A", settings: { length: 20 }, seed: 5 };
  const found = [];
  for await (const tokens of written(column, asked, source, new AbortController().signal)) found.push(tokens);
  return found;
}

test("a model's words come as they are written", async () => {
  const source = {
    async *write({ seeds, text, ids }) {
      assert.deepEqual([seeds, text, ids], [[5], "A", []]);
      yield { new: [[0, ["A"], [2], [1]]], typed: 1 };
      yield { new: [[0, [" b", " c"], [1, 1], [2, 3]]] };
    },
  };
  const found = await all({ model: "m", step: null, own: {} }, source);
  assert.deepEqual(
    found.map((tokens) => tokens.map(({ t, r }) => [t, r])),
    [
      [["A", -1]],
      [
        ["A", -1],
        [" b", 0],
        [" c", 0],
      ],
    ],
  );
});

test("a snapshot is asked for more and more of its story, until it ends", async () => {
  const lengths = [];
  const source = (most) => ({
    async once(name, { settings, step }) {
      assert.deepEqual([name, step], ["page_snapshot_story", 7]);
      lengths.push(settings.length);
      const count = Math.min(settings.length, most);
      return { prompt: "A", tokens: Array.from({ length: count }, (_, k) => [` ${k}`, 1, k]) };
    },
  });
  const column = { model: "m", step: 7, own: {} };
  assert.deepEqual(
    (await all(column, source(99))).map((tokens) => tokens.length),
    [9, 21],
  );
  assert.deepEqual(lengths, [8, 20]);
  assert.equal((await all(column, source(3))).length, 1);
});

test("a word's probability is the model's, and a snapshot's if it reads the same token", async () => {
  const given = { core: null, settings: {} };
  const source = {
    async candidates({ ids, token_id }) {
      assert.deepEqual([ids, token_id], [[9, 2], 4]);
      return { candidates: [[4, " cat", 0]], rest: [], log_total: 0, token: { probability: 0.25 } };
    },
    async once(name, { text }) {
      assert.deepEqual([name, text], ["page_snapshot_score", "A b cat"]);
      return { tokens: [["A b", 1, 8], this.last] };
    },
  };
  const before = story(["A"], " b"),
    [word] = story([], " cat");
  const model = await likelihood({ model: "m", step: null, own: {} }, before, word, { source, ...given });
  assert.deepEqual(model, { before: 0.25, after: null });
  const snapshot = () => likelihood({ model: "m", step: 7, own: {} }, before, word, { source, ...given });
  source.last = [" cat", Math.log(8), 4];
  assert.ok(isClose((await snapshot()).before, 1 / 8, 1e-12));
  source.last = ["at", 1, 5];
  assert.equal(await snapshot(), null);
});

const vote = (left, right, vote) => ({ time: "now", prompt: "A", seed: 1, left, right, vote });
const votes = (count, ...row) => Array.from({ length: count }, () => vote(...row));

test("of two contenders the estimate is the share of wins, and its interval that of the logit", () => {
  const [best, other] = estimates([
    ...votes(14, "a", "b", "left"),
    ...votes(4, "a", "b", "right"),
    ...votes(4, "b", "a", "tie"),
    ...votes(2, "b", "a", "bad"),
  ]);
  const [wins, losses] = [17.5, 7.5]; // each with half a win added
  assert.deepEqual([best.name, best.count, best.group], ["a", 24, 0]);
  assert.ok(isClose(best.share, wins / (wins + losses), 1e-9));
  const logit = Math.log(wins / losses),
    width = 1.959964 * Math.sqrt(1 / wins + 1 / losses);
  assert.ok(isClose(best.low, 1 / (1 + Math.exp(width - logit)), 1e-6));
  assert.ok(isClose(best.high, 1 / (1 + Math.exp(-width - logit)), 1e-6));
  assert.ok(isClose(other.share, 1 - best.share, 1e-9));
});

test("of several the estimate makes the votes most likely", () => {
  const all = [
    ...votes(8, "a", "b", "left"),
    ...votes(3, "a", "b", "right"),
    ...votes(6, "b", "c", "left"),
    ...votes(4, "b", "c", "right"),
    ...votes(9, "c", "a", "right"),
    ...votes(2, "c", "a", "left"),
  ];
  const found = estimates(all);
  assert.deepEqual(
    found.map(({ name }) => name),
    ["a", "b", "c"],
  );
  // At the maximum each one's wins, with the added halves, are as many as expected.
  const logs = found.map(({ share }) => (Math.log(share / (1 - share)) * 2) / 3);
  const beats = (i, j) => 1 / (1 + Math.exp(logs[j] - logs[i]));
  assert.ok(isClose(8.5 + 9.5, 12 * beats(0, 1) + 12 * beats(0, 2), 1e-6));
  assert.ok(isClose(3.5 + 6.5, 12 * beats(1, 0) + 11 * beats(1, 2), 1e-6));
  assert.ok(found.every(({ share, low, high }) => 0 < low && low < share && share < high && high < 1));
});

test("who won all has an estimate, and contenders that never met are in groups of their own", () => {
  const [winner] = estimates(votes(5, "a", "b", "left"));
  assert.ok(isClose(winner.share, 5.5 / 6, 1e-9) && winner.high < 1);
  const found = estimates([...votes(2, "a", "b", "tie"), ...votes(2, "c", "d", "left"), vote("a", "a", "left")]);
  assert.equal(new Set(found.map(({ group }) => group)).size, 2);
  assert.deepEqual(estimates([]), []);
});

test("the votes as a table keep commas, quotation marks and lines", () => {
  const made = csv([{ ...vote("a, b", 'say "c"', "bad"), prompt: "one\ntwo" }]);
  assert.equal(
    made,
    '"time","prompt","seed","left","right","vote"\r\n"now","one\ntwo","1","a, b","say ""c""","bad"\r\n',
  );
});

test("a cell that a spreadsheet would compute is text", () => {
  for (const start of ["=", "+", "-", "@", "\t", "\r"]) {
    const made = csv([{ ...vote("a", "b", "tie"), prompt: `${start}1+1` }]);
    assert.ok(made.includes(`"'${start}1+1"`), JSON.stringify(start));
  }
  assert.ok(csv([vote("a-b", "b", "tie")]).includes('"a-b"'));
});

test("a blind vote shows as many words of each story, whichever is quicker", () => {
  const quick = { tokens: story(["A fox"], " ran", " home", " again"), isDone: false },
    slow = { tokens: [], isDone: false };
  const shown = () => paced([quick, slow]).map((tokens) => tokens.map(({ t }) => t).join(""));
  assert.deepEqual(shown(), ["", ""]); // not even the prompt
  slow.tokens = story(["A", " fox"], " hid");
  assert.deepEqual(shown(), ["A fox ran", "A fox hid"]);
  quick.isDone = true;
  assert.deepEqual(shown(), ["A fox ran", "A fox hid"]);
  slow.tokens = story(["A", " fox"], " hid", " in", " a", " den");
  assert.deepEqual(shown(), ["A fox ran home again", "A fox hid in a den"]);
  slow.isDone = true;
  assert.deepEqual(shown(), ["A fox ran home again", "A fox hid in a den"]);
});

const MODELS = [
  { name: "small", fingerprint: "0123456789abcdef00", tokenizer: "abcd12" },
  { name: "large", fingerprint: "fedcba987654321000", tokenizer: "abcd12" },
];

test("a comparison comes back from its link", () => {
  const settings = { ...defaults(), length: 120 };
  const columns = [
    { model: MODELS[0], step: null, settings },
    { model: MODELS[1], step: 300, settings: { ...settings, temperature: 1.25, banned_words: ["ná"] } },
  ];
  const hash = encode({ prompt: "A fox & a #bird = 100 %", length: 120, seed: 7, columns });
  assert.ok(hash.startsWith("#compare="));
  const found = decode(hash, MODELS);
  assert.deepEqual([found.prompt, found.length, found.seed], ["A fox & a #bird = 100 %", 120, 7]);
  assert.deepEqual(
    found.columns.map(({ model, step }) => [model.name, step]),
    [
      ["small", null],
      ["large", 300],
    ],
  );
  assert.deepEqual(differing(found.columns[1].settings, settings), { temperature: 1.25, banned_words: ["ná"] });
  assert.throws(() => decode(hash, MODELS.slice(1)), MissingModel);
  assert.throws(() => decode(hash.replace(/column=.../, "column=xyz"), MODELS), Damaged);
  assert.throws(() => decode(hash.replace("length=120", "length=x"), MODELS), Damaged);
  assert.throws(() => decode(`${hash}&column=a&column=b&column=c`, MODELS), Damaged);
});

test("an address without a comparison has none", () => {
  for (const hash of ["", "#trace", "#compare", "#compare=A"]) assert.equal(decode(hash, MODELS), null);
});
