// Curves of several runs in uPlot's form, with one list of x for all, and ticks of a logarithmic axis.

/**
 * Returns one table for all curves: x, sorted and unique, and for each run with such points a line of training and one
 * of validation, null at an x without a value.
 * @param {{ name: string, train: any, validation: any }[]} curves
 * @param {string} axis "step", "tokens" or "seconds"
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

const DIGITS = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8], [1, 1.5, 2, 3, 4, 6, 8], [1, 2, 5], [1]];

/**
 * Returns at most `count` round numbers between two positive ones, for the ticks of a logarithmic axis.
 * @param {number} low
 * @param {number} high
 * @param {number} [count]
 */
export function logTicks(low, high, count = 8) {
  if (high < 2 * low) return evenTicks(low, high, count);
  const ticks = DIGITS.map((digits) => powers(low, high).flatMap((power) => digits.map((digit) => digit * power)))
    .map((ticks) => ticks.map((tick) => Number(tick.toPrecision(3))).filter((tick) => tick >= low && tick <= high))
    .find((ticks) => ticks.length <= count);
  return ticks ?? [];
}

function powers(low, high) {
  const first = Math.floor(Math.log10(low)),
    last = Math.floor(Math.log10(high));
  return Array.from({ length: last - first + 1 }, (_, k) => 10 ** (first + k));
}

// Within a factor of two, a logarithmic axis is nearly linear.
function evenTicks(low, high, most) {
  const rough = (high - low) / most;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((digit) => digit * power).find((size) => size >= rough);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: Math.max(0, count) }, (_, k) => Number(((first + k) * step).toPrecision(6)));
}

/**
 * Returns the SVG path of a small curve in a box; "" with fewer than two points.
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
