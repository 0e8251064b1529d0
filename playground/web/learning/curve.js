// The loss of a model over the tokens seen, with a mark that a pointer or the keys of a slider move.

import { make, svg } from "../make.js";

const ROOM = { left: 40, right: 18, top: 30, bottom: 46 }; // pixels around the plot
const TICKS = 5; // of the loss, at most

/**
 * @typedef {{step: number | null, tokens: number, loss: number | null, story: string}} Stage
 */

// Returns the stages' places in a plot of that size: tokens on a logarithmic scale, losses on a linear one.
export function places(stages, width, height) {
  const logs = stages.map(({ tokens }) => Math.log10(Math.max(tokens, 1)));
  const first = Math.min(...logs),
    last = Math.max(...logs);
  const losses = stages.map(({ loss }) => loss).filter((loss) => loss !== null);
  const low = Math.floor(Math.min(...losses, Number.MAX_VALUE)),
    high = Math.ceil(Math.max(...losses, low + 1));
  const x = (log) => ROOM.left + ((log - first) / (last - first || 1)) * (width - ROOM.left - ROOM.right);
  const y = (loss) => ROOM.top + ((high - loss) / (high - low)) * (height - ROOM.top - ROOM.bottom);
  return {
    points: stages.map(({ loss }, k) => ({ x: x(logs[k]), y: loss === null ? height - ROOM.bottom : y(loss) })),
    powers: Array.from({ length: Math.floor(last) - Math.ceil(first) + 1 }, (_, k) => {
      const log = Math.ceil(first) + k;
      return { tokens: 10 ** log, x: x(log) };
    }),
    losses: losses.length
      ? Array.from({ length: high - low + 1 }, (_, k) => low + k)
          .filter((loss) => (loss - low) % Math.ceil((high - low) / TICKS) === 0)
          .map((loss) => ({ loss, y: y(loss) }))
      : [],
  };
}

export class Curve {
  /** @param {(k: number) => void} choose called with the index of a chosen stage */
  constructor(choose) {
    this.slider = make("input", { type: "range", min: "0", "data-label": "learning" });
    this.plot = svg("svg", { "aria-hidden": "true" });
    this.element = make("div", { className: "curve" }, this.slider, this.plot);
    this.slider.addEventListener("input", () => choose(this.slider.valueAsNumber));
    const nearest = ({ clientX, buttons, type }) => {
      if (type === "pointermove" && !buttons) return;
      const at = clientX - this.plot.getBoundingClientRect().left;
      const distances = this.points.map(({ x }) => Math.abs(x - at));
      choose(distances.indexOf(Math.min(...distances)));
    };
    this.points = [];
    this.plot.addEventListener("pointerdown", (event) => {
      this.plot.setPointerCapture(event.pointerId);
      nearest(event);
    });
    this.plot.addEventListener("pointermove", nearest);
  }

  /**
   * @param {Stage[]} stages
   * @param {number} at index of the chosen stage
   * @param {{code: string, say: (key: string, values?: object) => string}} language
   * @param {string} value text of the slider, for screen readers
   */
  show(stages, at, language, value) {
    this.slider.max = String(stages.length - 1);
    this.slider.value = String(at);
    this.slider.setAttribute("aria-valuetext", value);
    const width = Math.max(this.element.clientWidth, 200),
      height = Math.min(300, Math.max(170, width * 0.28));
    this.plot.setAttribute("viewBox", `0 0 ${width} ${height}`);
    const { points, powers, losses } = places(stages, width, height);
    this.points = points;
    const short = new Intl.NumberFormat(language.code, { notation: "compact" });
    const measured = points.filter((_, k) => stages[k].loss !== null);
    const line = measured.map(({ x, y }) => `${x},${y}`).join(" ");
    const bottom = height - ROOM.bottom;
    const parts = [
      ...losses.map(({ y }) => svg("line", { class: "grid", x1: ROOM.left, x2: width - ROOM.right, y1: y, y2: y })),
      ...losses.map(({ loss, y }) => svg("text", { x: ROOM.left - 8, y: y + 4, "text-anchor": "end" }, String(loss))),
      ...powers.map(({ tokens, x }) =>
        svg("text", { x, y: bottom + 20, "text-anchor": "middle" }, short.format(tokens)),
      ),
      svg("text", { x: 2, y: 12 }, language.say("learning_axis_loss")),
      svg("text", { x: width / 2, y: height - 6, "text-anchor": "middle" }, language.say("learning_axis_tokens")),
    ];
    if (measured.length > 1) {
      const area = `${measured[0].x},${bottom} ${line} ${measured.at(-1).x},${bottom}`;
      parts.push(svg("polygon", { class: "area", points: area }), svg("polyline", { class: "line", points: line }));
    }
    parts.push(...points.map(({ x, y }) => svg("circle", { class: "dot", cx: x, cy: y, r: 4.5 })));
    const { x, y } = points[at];
    parts.push(svg("line", { class: "here", x1: x, x2: x, y1: ROOM.top - 8, y2: bottom }));
    parts.push(svg("circle", { class: "mark", cx: x, cy: y, r: 9 }));
    this.plot.replaceChildren(...parts);
  }
}
