// A comparison in an address, behind its #: the prompt, the length, and each column as a story's link
// (story/permalink.js) without a word, which holds the model's fingerprint, the settings and the seed. The number of
// a snapshot stands behind it.

import * as permalink from "../story/permalink.js";

export const COLUMNS_MAX = 4;
const NO_TOKENS = []; // common ones, of a link without any

/**
 * @param {{prompt: string, length: number, seed: number,
 *   columns: {model: ModelInfo, step: number | null, settings: Record<string, any>}[]}} comparison
 */
export function encode({ prompt, length, seed, columns }) {
  const values = new URLSearchParams({ compare: prompt, length: String(length) });
  for (const { model, step, settings } of columns) {
    const runs = [{ settings, seed, begins: "", beyond: false }];
    const { fingerprint = "", tokenizer = "", name } = model;
    const text = permalink.encode({ model: fingerprint, tokenizer, name, runs, tokens: [] }, NO_TOKENS);
    values.append("column", step === null ? text : `${text}.${step}`);
  }
  return `#${values}`;
}

/**
 * The comparison of an address; null if it has none. Throws permalink.Damaged, permalink.Newer, or MissingModel.
 * @param {string} hash
 * @param {ModelInfo[]} models that are here
 */
export function decode(hash, models) {
  const values = new URLSearchParams(hash.slice(1));
  const prompt = values.get("compare"),
    length = Number(values.get("length")),
    texts = values.getAll("column");
  if (prompt === null || !texts.length) return null;
  if (texts.length > COLUMNS_MAX || !(Number.isInteger(length) && length > 0)) throw new permalink.Damaged();
  const columns = texts.map((written) => {
    const [, text, step] = /^([\w-]*)(?:\.(\d{1,9}))?$/.exec(written) ?? [];
    const { model: fingerprint, name, runs } = permalink.decode(text ?? "", NO_TOKENS);
    if (runs.length !== 1) throw new permalink.Damaged();
    const model = models.find((one) => one.fingerprint?.startsWith(fingerprint));
    if (!model) throw new MissingModel(name);
    return { model, step: step === undefined ? null : Number(step), ...runs[0] };
  });
  return { prompt, length, seed: columns[0].seed, columns };
}

// A model, by its name, that is not here.
export class MissingModel extends Error {}
