// Times, sizes and counts in a language, with the browser's own words for units.

/** @type {(value: number, unit: string, code: string, unitDisplay?: "long" | "short", digits?: number) => string} */
const inUnit = (value, unit, code, unitDisplay = "long", digits = 0) =>
  new Intl.NumberFormat(code, { style: "unit", unit, unitDisplay, maximumFractionDigits: digits }).format(value);

/**
 * Returns a time: "40 seconds", "9 minutes", "5 hr 20 min", "2 days 4 hr".
 * @param {number} seconds
 * @param {string} code of the language
 */
export function duration(seconds, code) {
  const rounded = Math.max(0, Math.round(seconds));
  if (rounded < 60) return inUnit(rounded, "second", code);
  const minutes = Math.round(rounded / 60);
  if (minutes < 60) return inUnit(minutes, "minute", code);
  if (minutes < 24 * 60) return pair(minutes, 60, ["hour", "minute"], code);
  return pair(Math.round(minutes / 60), 24, ["day", "hour"], code);
}

function pair(value, size, [large, small], code) {
  const rest = value % size;
  if (!rest) return inUnit(value / size, large, code);
  return `${inUnit(Math.floor(value / size), large, code, "short")} ${inUnit(rest, small, code, "short")}`;
}

const STEPS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/**
 * Returns a size: "81 kB", "1.9 GB".
 * @param {number} bytes
 * @param {string} code
 */
export function size(bytes, code) {
  const power = Math.min(STEPS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const value = bytes / 1000 ** power;
  return inUnit(value, STEPS[power], code, "short", value < 10 && power > 0 ? 1 : 0);
}

/**
 * Returns a count, with three digits if it is large: "1,993", "5.24M" in English.
 * @param {number} value
 * @param {string} code
 */
export const compact = (value, code) =>
  Math.abs(value) < 10_000
    ? new Intl.NumberFormat(code, { maximumSignificantDigits: 4 }).format(value)
    : new Intl.NumberFormat(code, { notation: "compact", maximumSignificantDigits: 3 }).format(value);

/**
 * @param {number} value
 * @param {string} code
 * @param {number} [digits] behind the decimal point
 */
export const fixed = (value, code, digits = 2) =>
  new Intl.NumberFormat(code, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);

/**
 * Returns a number with at most six digits.
 * @param {number} value
 * @param {string} code
 */
export const exact = (value, code) => new Intl.NumberFormat(code, { maximumSignificantDigits: 6 }).format(value);

/**
 * @param {number} part between 0 and 1
 * @param {string} code
 */
export const percent = (part, code) =>
  new Intl.NumberFormat(code, { style: "percent", maximumFractionDigits: 0 }).format(part);

/**
 * @param {number} seconds since 1970
 * @param {string} code
 */
export const moment = (seconds, code) =>
  new Intl.DateTimeFormat(code, { dateStyle: "medium", timeStyle: "short" }).format(seconds * 1000);
