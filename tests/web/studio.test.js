// What Train and Models show of a run, and what they ask of the trainer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { Language } = await web("editor/language");
const { buttons, figures, isBusy, perplexity, progress, timeSentence, toneOf } = await web("studio/run");
const { compact, duration, percent, size } = await web("studio/values");
const { joined, logTicks, sparkline } = await web("studio/curve");
const { current, differences, givenOf, giving, sections, valueFrom } = await web("studio/settings");
const { draftLike, emptyDraft, freeName, readingOf, repaired, requestOf, sourceOf } = await web("train/draft");
const { lengthOf, lengths } = await web("train/lengths");
const { fileName, linesOf, plan, setName } = await web("train/upload");
const { chosenIn, withChosen } = await web("models/compared");

const texts = json("playground/web/studio/text.json");
const english = new Language(texts, ["en"]),
  german = new Language(texts, ["de"]);

const RUN = {
  name: "mine",
  state: "running",
  can: ["stop", "pause", "write"],
  step: 420,
  steps: 1200,
  seconds: 301,
  seconds_left: 540,
  tokens: 13_762_560,
  tokens_per_second: 45_690,
  mfu: 0.21,
  parameters: 5_242_880,
  loss: 2.4123,
  validation_loss: null,
  perplexity: null,
};

test("times, sizes and counts are written as the language has them", () => {
  assert.equal(duration(40.4, "en"), "40 seconds");
  assert.equal(duration(61, "en"), "1 minute");
  assert.equal(duration(540, "de"), "9 Minuten");
  assert.equal(duration(3600, "es"), "1 hora");
  assert.equal(duration(5 * 3600 + 20 * 60, "en"), "5 hr 20 min");
  assert.equal(duration(50 * 3600, "en"), "2 days 2 hr");
  assert.equal(duration(59.6, "en"), "1 minute", "never 60 seconds");
  assert.equal(duration(3599, "en"), "1 hour", "never 60 minutes");
  assert.equal(duration(-3, "en"), "0 seconds");
  assert.equal(size(81_000, "en"), "81 kB");
  assert.equal(size(1_940_000_000, "en"), "1.9 GB");
  assert.equal(size(0, "en"), "0 byte");
  assert.equal(compact(1993, "en"), "1,993");
  assert.equal(compact(5_242_880, "en"), "5.24M");
  assert.equal(percent(0.354, "en"), "35%");
});

test("a run's state says how it looks and what is left", () => {
  const states = Object.keys(texts.en).filter((key) => key.startsWith("state_"));
  assert.equal(states.length, 8);
  for (const key of states) assert.ok(["busy", "still", "bad", "good"].includes(toneOf(key.slice(6))));
  assert.equal(toneOf("a newer state"), "still");
  assert.ok(isBusy({ state: "stopping" }) && !isBusy({ state: "failed" }));
  assert.equal(progress(RUN), 0.35);
  assert.equal(progress({ step: 60, steps: null }), null);
  assert.equal(progress({ step: 61, steps: 60 }), 1);
  assert.equal(timeSentence(RUN, english), "9 minutes left");
  assert.equal(timeSentence({ ...RUN, seconds_left: null }, english), "Measuring how long it takes");
  assert.match(timeSentence({ ...RUN, state: "preparing" }, english), /^Reading the stories/);
  assert.equal(timeSentence({ ...RUN, state: "stopped" }, english), "trained for 5 minutes, 9 minutes left");
  assert.equal(timeSentence({ ...RUN, state: "finished" }, german), "5 Minuten trainiert");
});

test("buttons are those that the server allows, in one order, and one stands out", () => {
  assert.deepEqual(buttons(RUN), [
    { action: "write", isPrimary: true },
    { action: "pause", isPrimary: false },
    { action: "stop", isPrimary: false },
  ]);
  const stopped = buttons({ can: ["delete", "restart", "resume", "write"] });
  assert.deepEqual(
    stopped.map(({ action }) => action),
    ["write", "resume", "restart", "delete"],
  );
  assert.deepEqual(
    stopped.filter(({ isPrimary }) => isPrimary).map(({ action }) => action),
    ["resume"],
  );
  assert.deepEqual(buttons({ can: ["delete", "fly"] }, ["write"]), []);
});

test("figures that are not known are left out, and those of speed once nothing runs", () => {
  const rows = Object.fromEntries(figures(RUN, english));
  assert.equal(rows.figure_step, "420 of 1,200");
  assert.equal(rows.figure_loss, "2.41");
  assert.equal(rows.figure_use, "21%");
  assert.ok(!("figure_validation" in rows) && !("figure_perplexity" in rows));
  const finished = { ...RUN, state: "finished", perplexity: { value: 5.494, low: 5.4, high: 5.587 } };
  const later = Object.fromEntries(figures(finished, english));
  assert.ok(!("figure_speed" in later) && !("figure_use" in later));
  assert.equal(later.figure_perplexity, "5.49 (5.40 to 5.59)");
  assert.equal(perplexity(finished.perplexity, german), "5,49 (5,40 bis 5,59)");
  assert.equal(Object.fromEntries(figures({ ...RUN, steps: null, loss: 0 }, english)).figure_loss, "0.00");
});

const curve = (steps, losses) => ({ step: steps, tokens: steps.map((n) => n * 100), seconds: steps, loss: losses });
const EMPTY = curve([], []);

test("curves of several runs have one x, and null where a run has no value", () => {
  const first = { name: "a", train: curve([10, 20], [3, 2]), validation: curve([20], [2.5]) };
  const second = { name: "b", train: curve([20, 15], [4, null]), validation: EMPTY };
  const { data, lines } = joined([first, second], "step");
  assert.deepEqual(data, [
    [10, 20],
    [3, 2],
    [null, 2.5],
    [null, 4],
  ]);
  assert.deepEqual(
    lines.map(({ name, kind, run }) => `${name} ${kind} ${run}`),
    ["a train 0", "a validation 0", "b train 1"],
  );
  assert.deepEqual(joined([first], "tokens", ["validation"]).data, [[2000], [2.5]]);
  assert.deepEqual(joined([], "step").data, [[]]);
  const unknown = { ...first, train: { ...first.train, tokens: [null, null] }, validation: EMPTY };
  assert.deepEqual(joined([unknown], "tokens").data, [[]], "an older run has no tokens");
});

test("ticks of a logarithmic axis are round, inside, and not too many", () => {
  for (const [low, high] of [
    [1.4, 11],
    [0.02, 900],
    [2.01, 2.4],
  ]) {
    const ticks = logTicks(low, high);
    assert.ok(ticks.length <= 8 && ticks.every((tick) => tick >= low && tick <= high), `${ticks}`);
  }
  assert.deepEqual(logTicks(1.4, 11), [1.5, 2, 3, 4, 6, 8, 10]);
  assert.deepEqual(logTicks(2.01, 2.4), [2.05, 2.1, 2.15, 2.2, 2.25, 2.3, 2.35, 2.4]);
});

test("a small curve fits its box and needs two points", () => {
  const path = sparkline(curve([0, 50, 100], [9, 3, 1]), 100, 40);
  assert.match(path, /^M0\.0 0\.0L50\.0 [\d.]+L100\.0 40\.0$/);
  assert.equal(sparkline(curve([1], [9]), 100, 40), "");
  assert.equal(sparkline(undefined, 100, 40), "");
  assert.ok(!sparkline(curve([1, 2], [3, 3]), 100, 40).includes("NaN"));
});

const LR = { key: "optim.lr", section: "optim", type: "float", default: 0.002, choices: [] };
const EPOCHS = { key: "optim.epochs", section: "optim", type: "float", default: 10, choices: [] };
const BLOCK = { key: "model.block", section: "model", type: "str", default: "qwen3", choices: ["gpt2", "qwen3"] };

test("what is typed becomes a value of the setting's kind, or nothing", () => {
  assert.equal(valueFrom(LR, " 1e-3 "), 0.001);
  for (const wrong of ["", "fast", "1,5", "NaN", "Infinity"]) assert.equal(valueFrom(LR, wrong), undefined, wrong);
  assert.equal(valueFrom({ ...LR, type: "int" }, "-3"), -3);
  assert.equal(valueFrom({ ...LR, type: "int" }, "3.5"), undefined);
  assert.equal(valueFrom({ type: "bool", choices: [] }, false), false);
  assert.equal(valueFrom(BLOCK, "gpt2"), "gpt2");
  assert.equal(valueFrom(BLOCK, "gpt3"), undefined);
  assert.equal(valueFrom({ type: "str", choices: [] }, ""), "");
});

test("only what differs from the preset is given", () => {
  const preset = { "optim.lr": 0.005 };
  assert.equal(current(LR, preset, {}), 0.005);
  assert.equal(current(EPOCHS, preset, {}), 10);
  const given = giving({}, LR, 0.001, preset);
  assert.deepEqual(given, { "optim.lr": 0.001 });
  assert.equal(current(LR, preset, given), 0.001);
  assert.deepEqual(giving(given, LR, 0.005, preset), {}, "typed back");
  assert.deepEqual(giving(given, EPOCHS, 10, preset), given);
  assert.deepEqual(
    sections([LR, BLOCK, EPOCHS], ["optim.epochs"]).map(([name, rows]) => [name, rows.length]),
    [
      ["optim", 1],
      ["model", 1],
    ],
  );
});

test("what differs between runs is a row each; their folders are not compared", () => {
  const settings = (dir, lr, more = {}) => ({ settings: { run: { dir }, optim: { lr, epochs: 10, ...more } } });
  assert.deepEqual(differences([settings("a", 1), settings("b", 2, { z_loss: 0.1 })]), [
    { key: "optim.lr", values: [1, 2] },
    { key: "optim.z_loss", values: [undefined, 0.1] },
  ]);
  assert.deepEqual(differences([settings("a", 1), settings("b", 1)]), []);
  assert.deepEqual(differences([{ settings: {} }, { settings: {} }]), []);
});

test("a draft asks the trainer for its stories, preset and what was given", () => {
  const draft = { ...emptyDraft(), preset: "pocket", given: { "optim.lr": 0.1, "corpus.lower_case": true } };
  assert.deepEqual(requestOf(draft), {
    preset: "pocket",
    settings: { "optim.lr": 0.1, "corpus.lower_case": true, "corpus.source": "sample" },
  });
  const longer = requestOf({ ...draft, base: "models/storyteller", steps: 300 }).settings;
  assert.equal(longer["model.init_from"], "models/storyteller");
  assert.equal(longer["optim.steps"], 300);
  assert.deepEqual(readingOf(draft, { "corpus.source": "x", "corpus.special": "strip", "optim.lr": 1 }), {
    source: "sample",
    settings: { "corpus.lower_case": true, "corpus.special": "strip" },
  });
  assert.equal(sourceOf({ ...draft, kind: "mine", set: "tales" }), "stories/tales");
  assert.equal(sourceOf({ ...draft, kind: "mine" }), "");
  assert.equal(sourceOf({ ...draft, kind: "hub", hub: " a/b " }), "hf://a/b");
  assert.equal(sourceOf({ ...draft, kind: "path", path: "/a/b.txt" }), "/a/b.txt");
});

test("a kept draft of another version is repaired, and a run's own becomes a draft again", () => {
  assert.deepEqual(repaired(null), emptyDraft());
  assert.deepEqual(repaired({ kind: "moon", steps: "many", given: null, set: "tales" }), {
    ...emptyDraft(),
    set: "tales",
  });
  const run = {
    settings: { corpus: { source: "/home/me/stories/tales" }, optim: { lr: 1, steps: 9 }, run: { dir: "r" } },
  };
  const given = givenOf({ ...run, given: ["corpus.source", "optim.lr", "optim.steps", "run.dir", "model.gone"] });
  assert.deepEqual(given, { "corpus.source": "/home/me/stories/tales", "optim.lr": 1, "optim.steps": 9 });
  const draft = draftLike("seed", given);
  assert.deepEqual(draft, {
    ...emptyDraft(),
    kind: "mine",
    set: "tales",
    preset: "seed",
    steps: 9,
    given: { "optim.lr": 1 },
  });
  assert.equal(draftLike("seed", { "corpus.source": "hf://a/b" }).hub, "a/b");
  assert.equal(draftLike("seed", { "corpus.source": "/x.txt" }).path, "/x.txt");
  assert.equal(draftLike("seed", {}).kind, "sample");
  assert.equal(freeName("pocket", ["pocket", "pocket-2"]), "pocket-3");
});

test("lengths are in round times, around the preset's own", () => {
  const estimate = { seconds: 720, fixed_seconds: 0, steps: 1200, epochs: 10 };
  const found = lengths(estimate);
  assert.deepEqual(
    found.map(({ seconds }) => seconds / 60),
    [2, 12, 30],
    "10 minutes are as good as 12",
  );
  assert.deepEqual(found[0], { steps: 200, seconds: 120, epochs: 10 / 6, isUsual: false });
  assert.deepEqual(found[1], { steps: 0, seconds: 720, epochs: 10, isUsual: true });
  assert.deepEqual(lengthOf(estimate, 0), { steps: 1200, seconds: 720, epochs: 10 });
  assert.deepEqual(lengthOf(estimate, 600), { steps: 600, seconds: 360, epochs: 5 });
  assert.equal(
    lengths({ seconds: 30, fixed_seconds: 5, steps: 60, epochs: 0.4 }).length,
    1,
    "a quick try has one length",
  );
});

test("the evaluation at the end takes as long after fewer updates", () => {
  const estimate = { seconds: 720, fixed_seconds: 60, steps: 1320, epochs: 11 };
  assert.deepEqual(lengthOf(estimate, 120), { steps: 120, seconds: 120, epochs: 1 });
  assert.equal(lengths(estimate)[0].steps, 120); // two minutes
});

test("of what is dropped, stories are taken under names that a set may have", () => {
  const { taken, left } = plan([
    { path: "/tales/one.txt", file: 1 },
    { path: "/tales/deep/zwei ä.jsonl.gz", file: 2 },
    { path: "/tales/picture.jpg", file: 3 },
    { path: "/tales/.DS_Store", file: 4 },
  ]);
  assert.deepEqual(taken, [
    { name: "tales-one.txt", file: 1 },
    { name: "tales-deep-zwei ä.jsonl.gz", file: 2 },
  ]);
  assert.deepEqual(left, ["/tales/picture.jpg"]);
  assert.equal(fileName("../../..evil?.txt"), "evil_.txt");
  assert.equal(fileName("¿?"), "stories.txt");
  assert.ok(fileName(`${"x".repeat(90)}.txt`).length <= 64 && fileName(`${"x".repeat(90)}.txt`).endsWith(".txt"));
  assert.equal(setName("/My Tales/one.txt"), "My-Tales");
  assert.equal(setName("Märchen.txt"), "Marchen");
  assert.equal(setName("童话.txt"), "my-stories");
});

test("pasted text is a story between two empty lines", () => {
  const lines = linesOf('One "day".\nThe end.\n\n \r\n\r\n Two.  \n');
  assert.deepEqual(
    lines
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line)),
    [{ text: 'One "day".\nThe end.' }, { text: "Two." }],
  );
  assert.equal(linesOf(" \n\n "), "");
});

test("which runs are compared stands in the address", () => {
  assert.deepEqual(chosenIn("?compare=a,b,a,"), ["a", "b"]);
  assert.deepEqual(chosenIn(""), []);
  assert.equal(withChosen("http://localhost/models?compare=x", ["a", "b"]), "http://localhost/models?compare=a,b");
  assert.equal(withChosen("http://localhost/models?compare=x", []), "http://localhost/models");
});
