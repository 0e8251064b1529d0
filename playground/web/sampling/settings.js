// The settings of a story: what a slider can say, and what the page asks the model for.

import { SETTINGS } from "./settings_table.js";

export const SLIDERS = SETTINGS.filter(({ step }) => step);
export const LISTS = SETTINGS.filter(({ kind }) => kind === "words");

const neutralOf = (rows) =>
  Object.fromEntries(rows.filter((row) => row.neutral !== null).map((row) => [row.name, row.neutral]));

// What changes nothing, of each setting that has such a value.
export const neutral = neutralOf(SETTINGS);

const open = neutralOf(SLIDERS);
export const PRESETS = {
  careful: { ...open, temperature: 0.4, top_k: 20 },
  balanced: { ...open, temperature: 0.8, top_k: 40 },
  wild: { ...open, temperature: 1.3 },
  same: { ...open, temperature: 0 },
};

export const SEED_END = 2 ** 32;

/** @returns {any} */
export const defaults = () => {
  const { seed, ...values } = Object.fromEntries(SETTINGS.map((row) => [row.name, structuredClone(row.default)]));
  return values; // each story has a seed of its own
};

// Whether every token can be drawn, however unlikely.
export const drawsFromAll = (settings) =>
  settings.temperature > 0 && SETTINGS.every(({ name, limits, neutral: value }) => !limits || settings[name] === value);

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

// The seed that a text means, or null.
export function seedOf(text) {
  return /^\d{1,10}$/.test(text.trim()) && Number(text) < SEED_END ? Number(text) : null;
}

// The words of a text that has commas between them, of any script.
export const wordsIn = (text) =>
  text
    .split(/[,\uff0c\u3001]/)
    .map((word) => word.trim())
    .filter(Boolean);

/**
 * What was kept, with whatever is missing or out of range as it is by default.
 * @returns {Settings}
 */
export function repaired(kept) {
  const found = defaults();
  for (const { name, low, high } of SLIDERS) {
    const value = kept?.[name];
    if (typeof value === "number" && value >= low && value <= high) found[name] = value;
  }
  if (typeof kept?.stop_at_end === "boolean") found.stop_at_end = kept.stop_at_end;
  for (const { name } of LISTS) {
    if (Array.isArray(kept?.[name])) found[name] = kept[name].filter((word) => typeof word === "string");
  }
  return found;
}
