// The trainer's settings in forms and tables: typed values, and differences between runs.

/**
 * Returns the value of a typed text; undefined if it is not valid for the setting.
 * @param {{ type: string, choices: string[] }} setting
 * @param {string | boolean} typed
 */
export function valueFrom({ type, choices }, typed) {
  if (type === "bool") return Boolean(typed);
  const text = String(typed).trim();
  if (type === "int") return /^-?\d+$/.test(text) ? Number(text) : undefined;
  if (type === "float") return text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined;
  if (choices.length && !choices.includes(text)) return undefined;
  return text;
}

/**
 * Returns the value of a setting: the given one, else the preset's, else the default.
 * @param {any} setting
 * @param {Record<string, any>} preset values by key
 * @param {Record<string, any>} given
 */
export const current = (setting, preset, given) => given[setting.key] ?? preset[setting.key] ?? setting.default;

/**
 * Returns the given values with another one; a value equal to the preset's is removed.
 * @param {Record<string, any>} given
 * @param {any} setting
 * @param {any} value
 * @param {Record<string, any>} preset
 */
export function giving(given, setting, value, preset) {
  const { [setting.key]: _, ...others } = given;
  const usual = preset[setting.key] ?? setting.default;
  return value === usual ? others : { ...others, [setting.key]: value };
}

/**
 * Returns settings by section, in order.
 * @param {{ key: string, section: string }[]} settings
 * @param {string[]} hidden keys with another field on the page
 */
export function sections(settings, hidden = []) {
  const bySection = new Map();
  for (const setting of settings) {
    if (hidden.includes(setting.key)) continue;
    bySection.set(setting.section, [...(bySection.get(setting.section) ?? []), setting]);
  }
  return [...bySection];
}

/**
 * Returns a run's settings by `section.key`: { "model.hidden": 256, ... }.
 * @param {Record<string, Record<string, any>>} settings
 */
export const flat = (settings) =>
  Object.fromEntries(
    Object.entries(settings).flatMap(([section, values]) =>
      Object.entries(values).map(([name, value]) => [`${section}.${name}`, value]),
    ),
  );

// Settings of the folder, which do not describe the run.
const OWN = ["run.dir", "run.fresh"];

/**
 * Returns the settings that differ between runs, as { key, values }, with a value per run (undefined if an older run
 * lacks the setting).
 * @param {{ settings: Record<string, Record<string, any>> }[]} runs
 */
export function differences(runs) {
  const tables = runs.map(({ settings }) => flat(settings));
  const keys = [...new Set(tables.flatMap((table) => Object.keys(table)))];
  return keys
    .filter((key) => !OWN.includes(key))
    .map((key) => ({ key, values: tables.map((table) => table[key]) }))
    .filter(({ values }) => new Set(values.map((value) => JSON.stringify(value))).size > 1);
}

/**
 * Returns the settings that the user gave a run, by `section.key`, for a similar run.
 * @param {{ settings: Record<string, Record<string, any>>, given: string[] }} run
 */
export function givenOf({ settings, given }) {
  const table = flat(settings);
  const keys = given.filter((key) => key in table && !OWN.includes(key) && key !== "run.dry_run");
  return Object.fromEntries(keys.map((key) => [key, table[key]]));
}
