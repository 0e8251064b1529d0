// The facts about a model: a sentence for children, and a row of name, value and meaning for each fact.

import { entry } from "../make.js";

/** @param {Pick<Page, "frame" | "state" | "language">} page */
export function showFacts({ frame, state, language }) {
  const { model } = state.now;
  const rows = model.facts.map(([name, ...meanings]) => entry(name, ...meanings.filter(Boolean)));
  frame.part("facts").replaceChildren(...rows);
  const count = model.stories?.toLocaleString(language.code);
  frame.part("kind").textContent = language.say(count ? "kind_of_stories" : "kind_other", { n: count });
}
