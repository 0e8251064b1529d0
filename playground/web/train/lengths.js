// The lengths of a run to choose from, with the time that they take on this machine.

const TIMES = [2, 10, 30, 60, 180, 480, 1440, 2880].map((minutes) => minutes * 60); // s
const MIN_STEPS = 20,
  MAX_RATIO = 3; // to the preset's own length

/**
 * @typedef {object} Estimate
 * @property {number} seconds of the whole run
 * @property {number} fixed_seconds the part of them that does not grow with the updates
 * @property {number} steps
 * @property {number} epochs
 */

/**
 * Returns lengths to choose from, the shortest first: { steps, seconds, epochs, isUsual }. The usual one is the
 * preset's own, and has 0 steps: it needs no setting.
 * @param {Estimate} estimate of the preset's own length
 */
export function lengths({ seconds, fixed_seconds: fixed, steps, epochs }) {
  const usual = { steps: 0, seconds, epochs, isUsual: true };
  const others = TIMES.map((time) => {
    const count = Math.round((steps * (time - fixed)) / (seconds - fixed));
    return { steps: count, seconds: time, epochs: (epochs * count) / steps, isUsual: false };
  });
  const differs = ({ seconds: time }) => Math.abs(Math.log(time / seconds)) > 0.2; // from the usual length
  return [
    usual,
    ...others.filter((length) => length.steps >= MIN_STEPS && length.seconds <= MAX_RATIO * seconds && differs(length)),
  ].sort((a, b) => a.seconds - b.seconds);
}

/**
 * Returns the length of a run of `count` updates.
 * @param {Estimate} estimate
 * @param {number} count of updates; 0: the estimate's own
 */
export const lengthOf = ({ seconds, fixed_seconds: fixed, steps, epochs }, count) => {
  const part = count ? count / steps : 1;
  return { steps: count || steps, seconds: fixed + (seconds - fixed) * part, epochs: epochs * part };
};
