// A story for other people: its words, title, author, and how it was written. Pictures, files and books are made of it.

import { SLIDERS } from "../sampling/settings.js";

const TITLE_MAX = 48; // characters of a title that is made of a story's beginning
const GIVEN_MAX = 120; // characters of a title or a name that somebody types
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;

/**
 * `model`: its name. Without a title the story is called by its beginning.
 * @param {{ tokens: Token[], runs: Run[], model: string, fingerprint?: string }} written
 * @param {{ title?: string, author?: string, link?: string }} named
 * @returns {SharedStory}
 */
export function sharedStory({ tokens, runs, model, fingerprint }, { title, author, link }) {
  const used = [...new Set(tokens.map((token) => token.r).filter((run) => run >= 0))];
  const text = tokens
      .map((token) => token.t)
      .join("")
      .trim(),
    by = given(author);
  return {
    tokens,
    runs,
    model,
    fingerprint,
    link,
    text,
    title: given(title) || beginning(text) || "A story",
    author: by,
    byline: by ? `${by} and ${model}` : model,
    settings: how(used.map((run) => runs[run])),
  };
}

// A title or a name that somebody typed, in one line.
const given = (text) =>
  [...text.replace(CONTROL, " ").split(/\s+/).join(" ").trim()].slice(0, GIVEN_MAX).join("").trim();

// The first words of a story, as its title.
export function beginning(text) {
  const first = given(text.trim().split("\n")[0]),
    letters = [...first];
  if (letters.length <= TITLE_MAX) return first.replace(/\.$/, "");
  return `${letters
    .slice(0, TITLE_MAX)
    .join("")
    .replace(/[\s,;:]+\S*$/, "")}…`;
}

// The settings in words: those of the first run, and that there are more.
function how(runs) {
  if (!runs.length) return "written by hand";
  const [{ settings, seed }] = runs;
  const parts = [`temperature ${settings.temperature}`, `top-k ${settings.top_k || "all"}`];
  for (const { name, neutral } of SLIDERS) {
    if (neutral !== null && name !== "top_k" && settings[name] !== neutral)
      parts.push(`${name.replaceAll("_", "-")} ${settings[name]}`);
  }
  parts.push(`seed ${seed}`);
  const others = new Set(runs.map((run) => JSON.stringify({ ...run.settings, length: 1, seed: run.seed }))).size - 1;
  return parts.join(", ") + (others ? `, and ${others} more` : "");
}

export const paragraphs = (text) =>
  text
    .split("\n")
    .map((part) => part.trim())
    .filter(Boolean);
