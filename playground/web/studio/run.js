// How a run is shown, from its state on the server (playground/runs).

import { compact, duration, fixed, percent } from "./values.js";

const BUSY = ["preparing", "running", "finishing", "stopping"];

/** Returns whether the run's process is running. */
export const isBusy = ({ state }) => BUSY.includes(state);

/** Returns the tone of a run: busy, bad, good, or still if it is paused or stopped. */
export const toneOf = (run) => (isBusy(run) ? "busy" : ({ failed: "bad", finished: "good" }[run.state] ?? "still"));

/** Returns the part of the updates that are done, from 0 to 1; null if their number is unknown. */
export const progress = ({ step, steps }) => (steps ? Math.min(1, step / steps) : null);

// The buttons in their order; the first possible action of PRIMARY is highlighted.
const ACTIONS = ["write", "resume", "pause", "stop", "evaluate", "export", "publish", "restart", "delete"];
const PRIMARY = ["resume", "write"];

/**
 * Returns the buttons of a run: the possible actions among `wanted`, in order.
 * @param {{ can: string[] }} run
 * @param {string[]} wanted
 */
export function buttons({ can }, wanted = ACTIONS) {
  const possible = ACTIONS.filter((action) => can.includes(action) && wanted.includes(action));
  const primary = PRIMARY.find((action) => possible.includes(action));
  return possible.map((action) => ({ action, isPrimary: action === primary }));
}

/**
 * Returns a sentence about the time: the remaining time while the run trains, else its duration.
 * @param {any} run
 * @param {{ code: string, say: (key: string, values?: object) => string }} language
 */
export function timeSentence(run, language) {
  const { code } = language;
  if (isBusy(run)) {
    if (run.state !== "running") return language.say(`wait_${run.state}`);
    if (run.seconds_left === null) return language.say("left_unknown");
    return language.say("left", { time: duration(run.seconds_left, code) });
  }
  const time = duration(run.seconds ?? 0, code);
  if (run.state === "finished" || run.seconds_left === null) return language.say("trained_for", { time });
  return language.say("trained_and_left", { time, left: duration(run.seconds_left, code) });
}

/**
 * Returns the figures of a run as [key of the name, text], without unknown ones.
 * @param {any} run
 * @param {{ code: string, say: (key: string, values?: object) => string }} language
 */
export function figures(run, language) {
  const { code } = language;
  const isKnown = (value) => value !== null && value !== undefined;
  const rows = [
    ["figure_step", run.steps ? language.say("step_of", { n: run.step, max: run.steps }) : compact(run.step, code)],
    ["figure_tokens", isKnown(run.tokens) && compact(run.tokens, code)],
    ["figure_loss", isKnown(run.loss) && fixed(run.loss, code)],
    ["figure_validation", isKnown(run.validation_loss) && fixed(run.validation_loss, code)],
    ["figure_speed", isBusy(run) && isKnown(run.tokens_per_second) && compact(run.tokens_per_second, code)],
    ["figure_use", isBusy(run) && isKnown(run.mfu) && percent(run.mfu, code)],
    ["figure_perplexity", isKnown(run.perplexity) && perplexity(run.perplexity, language)],
    ["figure_parameters", isKnown(run.parameters) && compact(run.parameters, code)],
  ];
  return rows.filter(([, text]) => text);
}

/** Returns a perplexity with its interval: "5.49 (5.40 to 5.59)". */
export function perplexity({ value, low, high }, language) {
  const [mean, from, to] = [value, low, high].map((number) => fixed(number, language.code));
  return language.say("interval", { value: mean, low: from, high: to });
}
