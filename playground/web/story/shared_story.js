// A shared story: its text, title, author, and settings in words, of which pictures, files and books are made.

import { SLIDERS } from "../sampling/settings.js";
import { runsOf, textOf } from "./tree.js";

const TITLE_MAX = 48; // characters of a title that is the beginning of the story
const GIVEN_MAX = 120; // characters of a typed title or name
const CONTROL = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]/gu;

/**
 * Returns the shared story. `model`: its name. Without a title the story has its beginning as the title.
 * @param {{ tokens: Token[], runs: Run[], model: string, fingerprint?: string }} written
 * @param {{ title?: string, author?: string, link?: string }} named
 * @returns {SharedStory}
 */
export function sharedStory({ tokens, runs, model, fingerprint }, { title, author, link }) {
  const text = textOf(tokens).trim(),
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
    settings: how(runsOf(tokens).map((run) => runs[run])),
  };
}

// Returns a typed title or name on one line.
const given = (text) =>
  [...text.replace(CONTROL, " ").split(/\s+/).join(" ").trim()].slice(0, GIVEN_MAX).join("").trim();

// Returns the first words of a story, as its title.
export function beginning(text) {
  const first = given(text.trim().split("\n")[0]),
    characters = [...first];
  if (characters.length <= TITLE_MAX) return first.replace(/\.$/, "");
  const cut = characters.slice(0, TITLE_MAX).join("");
  return `${cut.replace(/[\s,;:]+\S*$/, "")}…`;
}

// Returns the settings of the first run in words, and the number of other settings.
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
