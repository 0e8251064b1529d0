// Probabilities and how they are shown.

// Above which probability a word has each level of surprise: even steps on a log scale, about.
export const LEVELS = [0.5, 0.2, 0.05, 0.01, 0.001];

// 0 for a word that was expected, 5 for one that nobody could see coming.
export const surpriseLevel = (nats) => LEVELS.filter((least) => Math.exp(-nats) < least).length;

// A probability for people: "87 %", "3.2 %", "0.04 %", "1 in 90,000".
export function percent(probability, language) {
  if (probability >= 0.9995) return "100 %";
  if (probability < 0.0001) return `1 : ${Math.round(1 / Math.max(probability, 1e-12)).toLocaleString(language)}`;
  const digits = probability >= 0.1 ? 0 : probability >= 0.01 ? 1 : 2;
  return `${(100 * probability).toLocaleString(language, { maximumFractionDigits: digits })} %`;
}

// What the settings make of the next word's distribution, which the core computes.
//
// `next`: { candidates: [[id, text, logit, raised], ...] from the likeliest down, rest: [[logit, count], ...],
// log_total }; `raised`: the logit after words to use, where it is given. Returns { rows: [{ id, text, before, after }],
// restBefore, restAfter }; what is cut off has `after` 0, and all of `after` adds to 1. Without a core (null) every
// `after` is null.
export function distribution(core, next, settings) {
  const { candidates, rest, log_total } = next;
  const before = candidates.map(([, , logit]) => Math.exp(logit - log_total));
  const restBefore = Math.max(0, 1 - before.reduce((a, b) => a + b, 0));
  const raised = candidates.map(([, , logit, other = logit]) => other);
  const after = core && raised.length ? core.odds(settings, raised, rest) : null;
  const rows = candidates.map(([id, text], k) => ({ id, text, before: before[k], after: after?.odds[k] ?? null }));
  return { rows, restBefore, restAfter: after?.rest ?? null };
}
