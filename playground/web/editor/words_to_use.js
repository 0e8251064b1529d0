// The words that the story should contain, each with whether the story has it.

import { make } from "../make.js";
import { hasWord } from "../story/whole_words.js";

/**
 * Shows the words below the story.
 * @param {Pick<Page, "frame" | "state" | "language">} page
 */
export function showWordsToUse({ frame, state, language }) {
  const { text } = state,
    words = state.now.settings.words_to_use ?? [];
  const items = words.map((word) => {
    const came = hasWord(text, word);
    return make("li", { className: came ? "came" : "" }, language.say(came ? "word_came" : "word_missing", { word }));
  });
  frame.part("words-to-use").hidden = !items.length;
  frame.part("words-to-use").replaceChildren(...items);
}
