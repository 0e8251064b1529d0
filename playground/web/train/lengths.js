// How long a run may be, in the time that it takes on this machine.

const ROUND = [2, 10, 30, 60, 180, 480, 1440, 2880].map((minutes) => minutes * 60); // s
const SHORTEST = 20, // updates
  LONGEST = 3; // times the preset's own length

/**
 * @typedef {object} Estimate
 * @property {number} seconds of the whole run
 * @property {number} fixed_seconds the part of them that does not grow with the updates
 * @property {number} steps
 * @property {number} epochs
 */

/**
 * Returns lengths to choose from, the shortest first: { steps, seconds, epochs, isUsual }. The usual one is the
 * preset's own, and has 0 steps: nothing has to be given for it.
 * @param {Estimate} estimate of the preset's own length
 */
export function lengths({ seconds, fixed_seconds: fixed, steps, epochs }) {
  const usual = { steps: 0, seconds, epochs, isUsual: true };
  const others = ROUND.map((time) => {
    const count = Math.round((steps * (time - fixed)) / (seconds - fixed));
    return { steps: count, seconds: time, epochs: (epochs * count) / steps, isUsual: false };
  });
  const apart = ({ seconds: time }) => Math.abs(Math.log(time / seconds)) > 0.2; // else the same twice
  return [
    usual,
    ...others.filter((one) => one.steps >= SHORTEST && one.seconds <= LONGEST * seconds && apart(one)),
  ].sort((a, b) => a.seconds - b.seconds);
}

/**
 * Returns the length of a number of updates.
 * @param {Estimate} estimate
 * @param {number} count of updates; 0: the estimate's own
 */
export const lengthOf = ({ seconds, fixed_seconds: fixed, steps, epochs }, count) => {
  const part = count ? count / steps : 1;
  return { steps: count || steps, seconds: fixed + (seconds - fixed) * part, epochs: epochs * part };
};
