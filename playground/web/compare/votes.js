// Votes between two contenders, and what they say of their strength: the model of Bradley & Terry (1952), by which one
// beats another with the odds of their strengths, fitted as in Hunter (2004), "MM algorithms for generalized
// Bradley-Terry models". A tie, and "both bad", is half a win for each, as in Chiang et al. (2024), "Chatbot Arena".

const Z = 1.959964; // of a normal distribution's middle 95 %
const STEPS = 10_000;
const SHARE = { left: 1, right: 0, tie: 0.5, bad: 0.5 }; // of a win, for the left one

/**
 * @typedef {{time: string, prompt: string, seed: number, left: string, right: string,
 *   vote: "left" | "right" | "tie" | "bad"}} Vote `left` and `right` are names of contenders
 */

/**
 * The chance of each contender to beat the others, with its 95 % interval, the best first: the logistic function of
 * its log-strength less the mean of the others', with Wald's interval from the Fisher information. With two it is the
 * share of wins. Half a win is added to each side of a pair (Haldane 1956), so that who won all has an estimate. Only
 * contenders that votes connect can be ranked: `group` counts those sets.
 * @param {Vote[]} votes
 * @returns {{name: string, count: number, share: number, low: number, high: number, group: number}[]}
 */
export function estimates(votes) {
  const real = votes.filter(({ left, right, vote }) => left !== right && vote in SHARE);
  return groups(real).flatMap((names, group) => {
    const wins = winsOf(real, names);
    const { logs, spread } = fitted(wins);
    const scale = names.length / (names.length - 1); // from the mean of all to that of the others
    const rows = names.map((name, k) => {
      const [middle, width] = [scale * logs[k], Z * scale * spread[k]];
      const [low, share, high] = [middle - width, middle, middle + width].map((x) => 1 / (1 + Math.exp(-x)));
      const count = real.filter((one) => [one.left, one.right].includes(name)).length;
      return { name, count, share, low, high, group };
    });
    return rows.sort((one, other) => other.share - one.share);
  });
}

// The sets of names that votes connect.
function groups(votes) {
  let found = [];
  for (const { left, right } of votes) {
    const [joined, others] = [true, false].map((is) => found.filter((one) => (one.has(left) || one.has(right)) === is));
    found = [...others, new Set([left, right, ...joined.flatMap((one) => [...one])])];
  }
  return found.map((one) => [...one].sort());
}

function winsOf(votes, names) {
  const wins = names.map(() => names.map(() => 0));
  for (const { left, right, vote } of votes) {
    const [one, other] = [names.indexOf(left), names.indexOf(right)];
    if (one < 0) continue;
    wins[one][other] += SHARE[vote];
    wins[other][one] += 1 - SHARE[vote];
  }
  return wins.map((row, i) => row.map((won, j) => (won + wins[j][i] > 0 ? won + 0.5 : 0)));
}

// The log-strengths, whose mean is 0, and their standard deviations.
function fitted(wins) {
  const total = (values) => values.reduce((sum, value) => sum + value, 0);
  const met = wins.map((row, i) => row.map((won, j) => won + wins[j][i]));
  let strengths = wins.map(() => 1);
  for (let step = 0, change = 1; step < STEPS && change > 1e-12; step += 1) {
    const next = wins.map((row, i) => total(row) / total(met[i].map((n, j) => n / (strengths[i] + strengths[j]))));
    const mean = Math.exp(total(next.map(Math.log)) / next.length);
    const scaled = next.map((value) => value / mean);
    change = Math.max(...scaled.map((value, k) => Math.abs(Math.log(value / strengths[k]))));
    strengths = scaled;
  }
  const information = met.map((row, i) =>
    row.map((n, j) => (n * strengths[i] * strengths[j]) / (strengths[i] + strengths[j]) ** 2),
  );
  // Its rows add to 0: with 1/n in each cell it has an inverse, which is greater by that of the mean.
  const share = 1 / wins.length;
  const inverse = inverted(information.map((row, i) => row.map((x, j) => (i === j ? total(row) : -x) + share)));
  return { logs: strengths.map(Math.log), spread: inverse.map((row, k) => Math.sqrt(row[k] - share)) };
}

// The inverse of a positive definite matrix, by Gauss and Jordan.
function inverted(matrix) {
  const rows = matrix.map((row, i) => [...row, ...row.map((_, j) => Number(i === j))]);
  for (let k = 0; k < rows.length; k += 1) {
    rows[k] = rows[k].map((value) => value / rows[k][k]);
    for (let i = 0; i < rows.length; i += 1) {
      if (i !== k) rows[i] = rows[i].map((value, j) => value - rows[i][k] * rows[k][j]);
    }
  }
  return rows.map((row) => row.slice(rows.length));
}

const FORMULA = /^[=+\-@\t\r\n]/;

// The votes as a table with commas (RFC 4180). An apostrophe keeps a spreadsheet from computing a cell (OWASP, "CSV
// injection").
export function csv(votes) {
  const names = ["time", "prompt", "seed", "left", "right", "vote"];
  const cell = (value) => `"${String(value).replace(FORMULA, "'$&").replaceAll('"', '""')}"`;
  return [names, ...votes.map((vote) => names.map((name) => vote[name]))]
    .map((row) => `${row.map(cell).join(",")}\r\n`)
    .join("");
}
