// A run that is being put together: what was chosen, and what that asks of the trainer.

/** How stories are chosen. */
export const KINDS = ["sample", "mine", "hub", "path"];

export const emptyDraft = () => ({
  kind: "sample",
  set: "",
  hub: "",
  path: "",
  preset: "",
  base: "",
  steps: 0,
  given: {},
  name: "",
});

/**
 * Returns a kept draft with all its parts; what is not of its kind is as in a new one.
 * @param {any} kept
 */
export function repaired(kept) {
  const draft = emptyDraft();
  for (const [key, value] of Object.entries(draft)) {
    const found = kept?.[key];
    if (typeof found === typeof value && found !== null) draft[key] = found;
  }
  if (!KINDS.includes(draft.kind)) draft.kind = "sample";
  return draft;
}

/** The trainer's name of the chosen stories; empty while nothing is chosen. */
export function sourceOf({ kind, set, hub, path }) {
  if (kind === "sample") return "sample";
  if (kind === "mine") return set && `stories/${set}`;
  const typed = (kind === "hub" ? hub : path).trim();
  return kind === "hub" && typed && !typed.includes("://") ? `hf://${typed}` : typed;
}

/** What a run of the draft is asked with: { preset, settings }. */
export function requestOf(draft) {
  const settings = { ...draft.given, "corpus.source": sourceOf(draft) };
  if (draft.base) settings["model.init_from"] = draft.base;
  if (draft.steps) settings["optim.steps"] = draft.steps;
  return { preset: draft.preset, settings };
}

/**
 * Returns what the stories are read with: the settings of the corpus alone.
 * @param {any} draft
 * @param {Record<string, any>} preset values of the preset by key
 */
export function readingOf(draft, preset) {
  const settings = Object.entries({ ...preset, ...draft.given }).filter(([key]) => key.startsWith("corpus."));
  const { "corpus.source": _, ...rest } = Object.fromEntries(settings);
  return { source: sourceOf(draft), settings: rest };
}

/**
 * Returns a name that no run has: "pocket", "pocket-2", ...
 * @param {string} wish
 * @param {string[]} taken
 */
export function freeName(wish, taken) {
  let name = wish;
  for (let k = 2; taken.includes(name); k += 1) name = `${wish}-${k}`;
  return name;
}

/**
 * Returns a draft like a run: its stories, its preset and what a person gave it.
 * @param {string} preset
 * @param {Record<string, any>} given by whole names
 */
export function draftLike(preset, given) {
  const { "corpus.source": source = "sample", "model.init_from": base = "", "optim.steps": steps = 0, ...rest } = given;
  const set = /(?:^|[\\/])stories[\\/]([^\\/]+)$/.exec(source)?.[1];
  const draft = { ...emptyDraft(), preset, base, steps, given: rest };
  if (source === "sample") return draft;
  if (set) return { ...draft, kind: "mine", set };
  if (source.startsWith("hf://")) return { ...draft, kind: "hub", hub: source.slice(5) };
  return { ...draft, kind: "path", path: source };
}
