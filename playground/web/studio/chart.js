// Loss curves, drawn by uPlot in the page's own colours: training thin, validation bold.

import uPlot from "../vendor/uplot/uPlot.esm.js";
import { joined, logTicks } from "./curve.js";
import { compact, duration, exact, fixed } from "./values.js";

const HUES = [1, 2, 3, 4, 5, 6].map((number) => `--curve-${number}`);
const HEIGHT = 300; // px

/** Returns the colour of the k-th run's curves, in CSS. */
export const hueOf = (k) => `var(${HUES[k % HUES.length]})`;

export class Chart {
  /**
   * @param {import("./place.js").Place} place
   * @param {HTMLElement} box
   */
  constructor(place, box) {
    this.place = place;
    this.box = box;
    this.plot = null;
    this.shape = "";
    new ResizeObserver(() => this.plot?.setSize(this.size)).observe(box);
    place.root.addEventListener("night", () => this.draw(true));
    for (const control of ["axis", "is-log"]) place.part(control).addEventListener("change", () => this.draw());
  }

  get size() {
    return { width: Math.max(200, this.box.clientWidth), height: HEIGHT };
  }

  /**
   * Shows curves over the axis that CHART_CONTROLS say.
   * @param {any[]} curves see `joined`
   */
  show(curves) {
    this.curves = curves;
    this.draw();
  }

  draw(isNew = false) {
    if (!this.curves) return;
    const axis = this.place.part("axis").value,
      isLog = this.place.part("is-log").checked;
    const { data, lines } = joined(this.curves, axis);
    const shape = JSON.stringify([axis, isLog, lines, this.place.code]);
    if (this.plot && shape === this.shape && !isNew) {
      this.plot.setData(data);
      return;
    }
    this.shape = shape;
    this.plot?.destroy();
    this.plot = data[0].length ? new uPlot(this.optionsFor(lines, axis, isLog), data, this.box) : null;
  }

  optionsFor(lines, axis, isLog) {
    const { place } = this;
    const style = getComputedStyle(document.body);
    const colour = (name) => style.getPropertyValue(name).trim();
    const { code } = place;
    const atX = (value) => (axis === "seconds" ? duration(value, code) : compact(value, code));
    const look = { stroke: colour("--faint"), grid: { stroke: colour("--line"), width: 1 }, ticks: { show: false } };
    const font = `13px ${colour("--sans")}`;
    const isMany = new Set(lines.map(({ run }) => run)).size > 1;
    return {
      ...this.size,
      legend: { live: true },
      cursor: { points: { size: 7 }, drag: { x: true, y: false } },
      scales: { x: { time: false }, y: isLog ? { distr: 3, range: (_, low, high) => [low / 1.04, high * 1.04] } : {} },
      axes: [
        { ...look, font, size: 34, space: 80, values: (_, ticks) => ticks.map(atX) },
        {
          ...look,
          font,
          size: 52,
          values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : exact(tick, code))),
          ...(isLog ? { splits: (_, __, low, high) => logTicks(low, high), filter: (_, ticks) => ticks } : {}),
        },
      ],
      series: [
        { label: place.say(`axis_${axis}`), value: (_, value) => (value === null ? "–" : atX(value)) },
        ...lines.map(({ name, run, kind }) => ({
          label: isMany ? `${name}, ${place.say(`curve_${kind}`)}` : place.say(`curve_${kind}`),
          stroke: colour(HUES[run % HUES.length]),
          width: kind === "validation" ? 2.5 : 1.25,
          alpha: kind === "validation" ? 1 : 0.6,
          spanGaps: true,
          points: { show: kind === "validation", size: 6 },
          value: (_, value) => (value === null ? "–" : fixed(value, code, 3)),
        })),
      ],
    };
  }
}

/** The controls of the page's chart: its x axis, and whether the y axis is logarithmic. */
export const CHART_CONTROLS = `
  <div class="chart-controls">
    <label><span data-text="over"></span>
      <select data-part="axis">
        <option value="step" data-text="axis_step"></option>
        <option value="tokens" data-text="axis_tokens"></option>
        <option value="seconds" data-text="axis_seconds"></option>
      </select></label>
    <label class="switch"><input type="checkbox" data-part="is-log"><span data-text="logarithmic"></span></label>
  </div>`;
