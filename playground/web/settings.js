// The settings of a story: what a slider can say, and what the page asks the model for.

import { SLIDERS } from "./sliders.js";

export { SLIDERS };

const open = { top_p: 1, min_p: 0, repetition_penalty: 1 };
export const PRESETS = {
  careful: { temperature: 0.4, top_k: 20, ...open },
  balanced: { temperature: 0.8, top_k: 40, ...open },
  wild: { temperature: 1.3, top_k: 0, ...open },
  same: { temperature: 0, top_k: 0, ...open },
};

export const SEED_END = 2 ** 32;

export const defaults = () => ({
  ...Object.fromEntries(SLIDERS.map(({ name, value }) => [name, value])),
  banned_words: [],
  stop_at_end: true,
});

export const newSeed = () => crypto.getRandomValues(new Uint32Array(1))[0];

// The seed that a text means, or null.
export function seedOf(text) {
  return /^\d{1,10}$/.test(text.trim()) && Number(text) < SEED_END ? Number(text) : null;
}

// The words of a text that has commas between them, of any script.
export const wordsIn = (text) => text.split(/[,\uff0c\u3001]/).map((word) => word.trim()).filter(Boolean);

// What was kept, with whatever is missing or out of range as it is by default.
export function repaired(kept) {
  const found = defaults();
  for (const { name, low, high } of SLIDERS) {
    const value = kept?.[name];
    if (typeof value === "number" && value >= low && value <= high) found[name] = value;
  }
  if (typeof kept?.stop_at_end === "boolean") found.stop_at_end = kept.stop_at_end;
  if (Array.isArray(kept?.banned_words)) {
    found.banned_words = kept.banned_words.filter((word) => typeof word === "string");
  }
  return found;
}
