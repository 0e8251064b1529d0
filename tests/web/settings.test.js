// What a slider can say, and what is repaired.

import assert from "node:assert/strict";
import { test } from "node:test";
import { web } from "./modules.js";

const { PRESETS, SEED_END, SLIDERS, defaults, newSeed, repaired, seedOf, wordsIn } = await web("sampling/settings");

test("the presets are settings", () => {
  const sliders = new Map(SLIDERS.map((slider) => [slider.name, slider]));
  for (const preset of Object.values(PRESETS)) {
    for (const [name, value] of Object.entries(preset)) {
      const { low, high, step } = sliders.get(name);
      assert.ok(low <= value && value <= high, `${name} ${value}`);
      if (step >= 1) assert.ok(Number.isInteger(value), `${name} ${value}`);
    }
  }
});

test("a seed is a whole number below 2 ** 32", () => {
  assert.equal(seedOf(" 42 "), 42);
  assert.equal(seedOf("0"), 0);
  assert.equal(seedOf("4294967295"), 4294967295);
  for (const wrong of ["-1", "4294967296", "x", "", "1.5", "1e3", "99999999999"]) assert.equal(seedOf(wrong), null);
  for (let k = 0; k < 20; k += 1) {
    const seed = newSeed();
    assert.ok(Number.isInteger(seed) && seed >= 0 && seed < SEED_END);
  }
});

test("banned words have commas of any script between them", () => {
  assert.deepEqual(wordsIn("fox, big bad wolf,, 狼、狐，cat ,"), ["fox", "big bad wolf", "狼", "狐", "cat"]);
  assert.deepEqual(wordsIn(" , "), []);
});

test("what is missing or out of range is repaired", () => {
  assert.deepEqual(repaired(undefined), defaults());
  assert.deepEqual(repaired({ temperature: 9, top_k: "3", length: NaN, banned_words: "the" }), defaults());
  const kept = { ...defaults(), temperature: 1.35, top_k: 0, stop_at_end: false, banned_words: ["the"] };
  assert.deepEqual(repaired(kept), kept);
  assert.deepEqual(repaired({ banned_words: ["the", 3, null] }).banned_words, ["the"]);
});
