// Curves of several runs as a chart takes them: one list of x for all, and ticks of a logarithmic axis.

/** What a curve can be drawn over. */
export const AXES = ["step", "tokens", "seconds"];

/**
 * Returns one table for all curves: x in rising order without repetitions, and for each run that has such points a
 * line of training and one of validation, null where it has no value.
 * @param {{ name: string, train: any, validation: any }[]} curves
 * @param {string} axis one of AXES
 * @param {string[]} kinds "train", "validation"
 */
export function joined(curves, axis, kinds = ["train", "validation"]) {
  const lines = curves.flatMap(({ name, ...curve }, run) =>
    kinds.map((kind) => ({ name, run, kind, points: pointsOf(curve[kind], axis) })),
  );
  const drawn = lines.filter(({ points }) => points.size > 0);
  const x = [...new Set(drawn.flatMap(({ points }) => [...points.keys()]))].sort((a, b) => a - b);
  const columns = drawn.map(({ points }) => x.map((at) => points.get(at) ?? null));
  return { data: [x, ...columns], lines: drawn.map(({ name, run, kind }) => ({ name, run, kind })) };
}

function pointsOf(columns, axis) {
  const points = new Map();
  for (const [k, at] of (columns?.[axis] ?? []).entries()) {
    const loss = columns.loss[k];
    if (at !== null && loss !== null) points.set(at, loss);
  }
  return points;
}

const ROUND = [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8];

/**
 * Returns round numbers between two positive ones, at most `most`, for the ticks of a logarithmic axis.
 * @param {number} low
 * @param {number} high
 * @param {number} most
 */
export function logTicks(low, high, most = 8) {
  const first = Math.floor(Math.log10(low)),
    last = Math.ceil(Math.log10(high));
  const found = [];
  for (let power = first; power <= last; power += 1) {
    for (const digit of ROUND) found.push(Number((digit * 10 ** power).toPrecision(3)));
  }
  const inside = found.filter((tick) => tick >= low && tick <= high);
  const every = Math.ceil(inside.length / most);
  return inside.filter((_, k) => k % every === 0);
}

/**
 * Returns the path of a small curve in a box, for an SVG; empty with fewer than two points.
 * @param {any} columns of training or validation
 * @param {number} width
 * @param {number} height
 */
export function sparkline(columns, width, height) {
  const points = [...pointsOf(columns, "step")];
  if (points.length < 2) return "";
  const losses = points.map(([, loss]) => Math.log(Math.max(1e-6, loss)));
  const low = Math.min(...losses),
    range = Math.max(...losses) - low || 1;
  const [[start]] = points,
    span = points.at(-1)[0] - start || 1;
  return points
    .map(([step], k) => {
      const x = ((step - start) / span) * width,
        y = height - ((losses[k] - low) / range) * height;
      return `${k ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    })
    .join("");
}
