// The draft of a run: the choices on the page Train, and the trainer's settings that follow from them.

/** Kinds of sources of stories. */
export const KINDS = ["sample", "mine", "hub", "path"];

export const emptyDraft = () => {
  const stories = { kind: "sample", set: "", hub: "", path: "" };
  return { ...stories, preset: "", base: "", steps: 0, given: {}, name: "" };
};

/**
 * Returns a stored draft with all its fields; fields of the wrong type get the default.
 * @param {any} kept
 */
export function repaired(kept) {
  const draft = emptyDraft();
  for (const [key, value] of Object.entries(draft)) {
    const stored = kept?.[key];
    if (typeof stored === typeof value && stored !== null) draft[key] = stored;
  }
  if (!KINDS.includes(draft.kind)) draft.kind = "sample";
  return draft;
}

/** Returns the trainer's name of the chosen stories; "" without a choice. */
export function sourceOf({ kind, set, hub, path }) {
  if (kind === "sample") return "sample";
  if (kind === "mine") return set && `stories/${set}`;
  const typed = (kind === "hub" ? hub : path).trim();
  return kind === "hub" && typed && !typed.includes("://") ? `hf://${typed}` : typed;
}

/** Returns the request for a run of the draft: { preset, settings }. */
export function requestOf(draft) {
  const settings = { ...draft.given, "corpus.source": sourceOf(draft) };
  if (draft.base) settings["model.init_from"] = draft.base;
  if (draft.steps) settings["optim.steps"] = draft.steps;
  return { preset: draft.preset, settings };
}

/**
 * Returns the source of the stories and the settings that affect how they are read.
 * @param {any} draft
 * @param {Record<string, any>} preset values of the preset by key
 */
export function readingOf(draft, preset) {
  const settings = Object.entries({ ...preset, ...draft.given }).filter(([key]) => key.startsWith("corpus."));
  const { "corpus.source": _, ...rest } = Object.fromEntries(settings);
  return { source: sourceOf(draft), settings: rest };
}

/**
 * Returns a name that is not taken: "pocket", "pocket-2", ...
 * @param {string} base
 * @param {string[]} taken
 */
export function freeName(base, taken) {
  let name = base;
  for (let k = 2; taken.includes(name); k += 1) name = `${base}-${k}`;
  return name;
}

/**
 * Returns a draft with the stories, the preset and the given settings of a run.
 * @param {string} preset
 * @param {Record<string, any>} given by `section.key`
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
