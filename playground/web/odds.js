// Probabilities and how they are shown. `after` is the browser's copy of sampling.choose in Python.

// Above which probability a word has each level of surprise: even steps on a log scale, about.
const LEVELS = [0.5, 0.2, 0.05, 0.01, 0.001];

// 0 for a word that was expected, 5 for one that nobody could see coming.
export function surpriseLevel(nats) {
  const probability = Math.exp(-nats);
  const level = LEVELS.findIndex((least) => probability >= least);
  return level < 0 ? LEVELS.length : level;
}

export const levelBounds = LEVELS;

// A probability for people: "87 %", "3.2 %", "0.04 %", "1 in 90,000".
export function percent(probability, language) {
  if (probability >= 0.9995) return "100 %";
  if (probability < 0.0001) {
    return `1 : ${Math.round(1 / Math.max(probability, 1e-12)).toLocaleString(language)}`;
  }
  const digits = probability >= 0.1 ? 0 : probability >= 0.01 ? 1 : 2;
  return `${(100 * probability).toLocaleString(language, { maximumFractionDigits: digits })} %`;
}

// What the settings make of the next word's distribution.
//
// `next`: { candidates: [[id, text, logit], ...] from the likeliest down, rest: [[logit, count], ...],
// log_total }. Returns { rows: [{ id, text, before, after }], restBefore, restAfter }; what is cut off
// has `after` 0, and all of `after` adds to 1.
export function distribution(next, settings) {
  const { temperature, top_k, top_p, min_p } = settings;
  const { candidates, rest, log_total } = next;
  const before = candidates.map(([, , logit]) => Math.exp(logit - log_total));
  const restBefore = Math.max(0, 1 - before.reduce((a, b) => a + b, 0));
  const after = new Float64Array(candidates.length);
  let restAfter = 0;
  if (candidates.length && temperature === 0) {
    after[0] = 1;
  } else if (candidates.length) {
    const top = candidates[0][2];
    const weigh = (logit) => Math.exp((logit - top) / temperature);
    const limit = top_k ? Math.min(top_k, candidates.length) : candidates.length;
    let total = 0;
    for (let k = 0; k < limit; k += 1) total += after[k] = weigh(candidates[k][2]);
    const others = top_k ? [] : rest;
    let othersTotal = 0;
    for (const [logit, count] of others) othersTotal += count * weigh(logit);
    const nucleus = top_p * (total + othersTotal);
    let cumulative = 0, last = limit;
    for (let k = 0; k < limit; k += 1) {
      if ((top_p < 1 && k > 0 && cumulative >= nucleus) || after[k] < min_p) {
        last = k;
        break;
      }
      cumulative += after[k];
    }
    after.fill(0, last);
    if (last === limit) {
      for (const [logit, count] of others) {
        if (weigh(logit) >= min_p) restAfter += count * weigh(logit);
      }
      if (top_p < 1) restAfter = Math.max(0, Math.min(restAfter, nucleus - cumulative));
    }
    const sum = cumulative + restAfter;
    for (let k = 0; k < last; k += 1) after[k] /= sum;
    restAfter /= sum;
  }
  const rows = candidates.map(([id, text], k) => ({ id, text, before: before[k], after: after[k] }));
  return { rows, restBefore, restAfter };
}
