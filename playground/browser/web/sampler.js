// Logits to a token, as playground/sampling.py and engine/sampler.py choose it: the same draws, the same
// order of equal ones, the same limits. A link that was made there opens here, and the other way round.

const FEW = 64, MANY = 256, SLACK = 16; // candidates, and how many more than top-k are looked at
const TOP_K_MAX = 200, REST_WIDTH = 0.25;

// The uniform number in [0, 1) of token `position` of a story: SplitMix64 (Steele, Lea and Flood 2014) at
// counter (seed, position), its upper 53 bits.
export function uniform(seed, position) {
  const wide = (number) => BigInt.asUintN(64, number);
  let mixed = wide(((BigInt(seed) << 32n) + BigInt(position) + 1n) * 0x9e3779b97f4a7c15n);
  mixed = wide((mixed ^ (mixed >> 30n)) * 0xbf58476d1ce4e5b9n);
  mixed = wide((mixed ^ (mixed >> 27n)) * 0x94d049bb133111ebn);
  return Number((mixed ^ (mixed >> 31n)) >> 11n) / 2 ** 53;
}

// Which of the values are the largest, from the largest down, equal ones by their place. As many parts of
// the values as are asked for have a number of at least the smallest of the largest maxima; few others do.
export function largest(values, count) {
  const part = Math.max(1, Math.floor(values.length / (4 * count)));
  const maxima = new Float64Array(Math.ceil(values.length / part)).fill(-Infinity);
  for (let from = 0, n = 0; n < maxima.length; from += part, n += 1) {
    const end = Math.min(from + part, values.length);
    for (let k = from; k < end; k += 1) if (values[k] > maxima[n]) maxima[n] = values[k];
  }
  maxima.sort();
  const least = maxima.length > count ? maxima[maxima.length - count] : -Infinity, found = [];
  for (let k = 0; k < values.length; k += 1) if (values[k] >= least) found.push(k);
  return found.sort((one, other) => values[other] - values[one] || one - other).slice(0, count);
}

// The first place in rising numbers whose number passes `limit`, or reaches it with `reaches`.
function passes(rising, end, limit, reaches) {
  let low = 0, high = end;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (reaches ? rising[middle] < limit : rising[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The place of the chosen one among the likeliest, whose logits fall, and its probability after the
// settings; null when the choice may lie among the others, whose sum of exp(logit / temperature) has the
// logarithm `logRest`.
export function choose(logits, logRest, settings, draw) {
  const { temperature, top_k, top_p, min_p } = settings;
  if (temperature === 0) return { index: 0, probability: 1 };
  const count = top_k ? Math.min(top_k, logits.length) : logits.length;
  const peak = logits[0] / temperature, cumulative = new Float64Array(count);
  let sum = 0, likely = 0;
  for (let k = 0; k < count; k += 1) {
    const weight = Math.exp(logits[k] / temperature - peak);
    if (weight >= min_p) likely += 1;
    sum += weight;
    cumulative[k] = sum;
  }
  const rest = top_k ? 0 : Math.exp(Math.min(logRest - peak, 700));
  let total = sum + rest, last = count;
  if (top_p < 1) last = Math.min(last, passes(cumulative, count, top_p * total, true) + 1);
  if (min_p > 0) last = Math.min(last, likely);
  if (last < count) total = cumulative[last - 1];
  else if (rest && (top_p < 1 || min_p > 0)) return null;
  let index = passes(cumulative, last, draw * total, false);
  if (index === last && last === count && rest) return null;
  index = Math.min(index, last - 1); // rounding at the very end
  return { index, probability: (cumulative[index] - (index ? cumulative[index - 1] : 0)) / total };
}

// The chosen id among all logits, in any order, and its probability.
function chooseAmongAll(logits, settings, draw, count = MANY) {
  const near = largest(logits, Math.min(count, logits.length));
  let logRest = -Infinity;
  if (near.length < logits.length) {
    const temperature = settings.temperature || 1;
    const others = logits.slice();
    for (const id of near) others[id] = -Infinity;
    const top = others.reduce((most, one) => Math.max(most, one), -Infinity) / temperature;
    let sum = 0;
    for (const one of others) sum += Math.exp(one / temperature - top);
    if (top > -Infinity) logRest = top + Math.log(sum);
  }
  const found = choose(near.map((id) => logits[id]), logRest, settings, draw);
  if (found === null) return chooseAmongAll(logits, settings, draw, logits.length);
  return { id: near[found.index], probability: found.probability };
}

// Makes the ids that were there already less likely (Keskar et al. 2019, equation 2).
function penalise(logits, seen, penalty) {
  for (const id of new Set(seen)) logits[id] = logits[id] > 0 ? logits[id] / penalty : logits[id] * penalty;
}

// What the ids of a head with shared rows are.
export class Ids {
  // `uniqueOf`: the head's row of each id.
  constructor(uniqueOf, unique) {
    this.uniqueOf = uniqueOf;
    this.of = Array.from({ length: unique }, () => []);
    uniqueOf.forEach((row, id) => this.of[row].push(id));
  }

  // The likeliest ids of a row of logits, and their logits, from the likeliest down, equal ones by id.
  likeliest(logits, count) {
    const ids = [], found = [];
    let rows = [], at = null;
    const close = () => { // rows of one logit: all their ids in order
      const together = rows.length === 1 ? this.of[rows[0]] : rows.flatMap((row) => this.of[row]).sort((a, b) => a - b);
      for (const id of together.slice(0, count - ids.length)) {
        ids.push(id);
        found.push(at);
      }
      rows = [];
    };
    for (const row of largest(logits, Math.min(count, logits.length))) {
      if (rows.length && logits[row] !== at) close();
      if (ids.length >= count) return { ids, logits: found };
      rows.push(row);
      at = logits[row];
    }
    close();
    return { ids, logits: found };
  }

  // The logits of all ids.
  all(logits) {
    return Float64Array.from(this.uniqueOf, (row) => logits[row]);
  }

  // The logarithm of the sum of exp(logit / temperature) over all ids but some.
  logRest(logits, without, temperature) {
    const taken = new Map();
    for (const id of without) taken.set(this.uniqueOf[id], (taken.get(this.uniqueOf[id]) ?? 0) + 1);
    let peak = -Infinity, sum = 0;
    for (const one of logits) if (one > peak) peak = one;
    for (let row = 0; row < logits.length; row += 1) {
      const count = this.of[row].length - (taken.get(row) ?? 0);
      if (count) sum += count * Math.exp((logits[row] - peak) / temperature);
    }
    return sum > 0 ? peak / temperature + Math.log(sum) : -Infinity;
  }

  // How many ids come before one.
  rank(logits, id) {
    const own = this.uniqueOf[id], logit = logits[own];
    let before = 0;
    for (let row = 0; row < logits.length; row += 1) {
      if (logits[row] > logit) before += this.of[row].length;
      else if (logits[row] === logit) before += this.of[row].filter((other) => other < id).length;
    }
    return before;
  }
}

// The id that comes next and its probability after the settings: `seen`, the ids in the model's sight; `banned`, those that it must not be.
export function nextId(ids, logits, settings, draw, seen, banned) {
  const { top_k, temperature, repetition_penalty } = settings;
  if (repetition_penalty === 1 && !banned.length) {
    const near = ids.likeliest(logits, top_k > FEW - SLACK ? MANY : FEW);
    let logRest = -Infinity;
    if (temperature && !top_k) {
      near.ids.length = near.logits.length = Math.max(1, near.ids.length - SLACK);
      logRest = ids.logRest(logits, near.ids, temperature);
    }
    const chosen = choose(near.logits, logRest, settings, draw);
    if (chosen !== null) return { id: near.ids[chosen.index], probability: chosen.probability };
  }
  const all = ids.all(logits);
  if (repetition_penalty !== 1) penalise(all, seen, repetition_penalty);
  for (const id of banned) all[id] = -Infinity;
  return chooseAmongAll(all, settings, draw);
}

// What could come next, as page_candidates answers (engine/next_tokens.py).
export function candidates(ids, logits, { logTotal, entropy }, label, tokenId) {
  const near = ids.likeliest(logits, MANY);
  const bins = new Map();
  const taken = new Set(near.ids);
  ids.uniqueOf.forEach((row, id) => {
    if (taken.has(id)) return;
    const bin = Math.floor(logits[row] / REST_WIDTH);
    bins.set(bin, (bins.get(bin) ?? 0) + 1);
  });
  const rest = [...bins].sort(([one], [other]) => one - other).map(([bin, count]) => [(bin + 0.5) * REST_WIDTH, count]);
  return {
    candidates: near.ids.slice(0, TOP_K_MAX).map((id, k) => [id, label(id), near.logits[k]]),
    rest: [...near.logits.slice(TOP_K_MAX).map((logit) => [logit, 1]), ...rest],
    log_total: logTotal,
    entropy,
    token: tokenId === null ? null : {
      token_id: tokenId,
      probability: Math.exp(Math.min(logits[ids.uniqueOf[tokenId]] - logTotal, 0)),
      rank: ids.rank(logits, tokenId),
    },
  };
}
