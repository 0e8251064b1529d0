// A story for other people: its words, title, author, and how it was written, as
// playground/stories/shared_story.py says it.

import { SLIDERS } from "./settings.js";

export function sharedStory(writer, { title, author, link }) {
  const { doc, tokens, model } = writer;
  const used = [...new Set(tokens.map((token) => token.r).filter((run) => run >= 0))];
  return {
    title, author, link, tokens,
    runs: doc.runs,
    fingerprint: model.fingerprint,
    model: model.name,
    byline: author ? `${author} and ${model.name}` : model.name,
    settings: how(used.map((run) => doc.runs[run])),
    text: tokens.map((token) => token.t).join("").trim(),
  };
}

// The settings in words: those of the first run, and that there are more.
function how(runs) {
  if (!runs.length) return "written by hand";
  const [{ settings, seed }] = runs;
  const parts = [`temperature ${settings.temperature}`, `top-k ${settings.top_k || "all"}`];
  for (const { name, neutral } of SLIDERS) {
    if (neutral !== null && name !== "top_k" && settings[name] !== neutral) parts.push(`${name.replaceAll("_", "-")} ${settings[name]}`);
  }
  parts.push(`seed ${seed}`);
  const others = new Set(runs.map((run) => JSON.stringify({ ...run.settings, length: 1, seed: run.seed }))).size - 1;
  return parts.join(", ") + (others ? `, and ${others} more` : "");
}

export const paragraphs = (text) => text.split("\n").map((part) => part.trim()).filter(Boolean);
