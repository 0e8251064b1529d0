// The words that the story should contain, and whether it has each of them.

import { hasWord } from "../story/whole_words.js";

/**
 * Shows them in a list.
 * @param {HTMLElement} list
 * @param {{ text: string, words: string[], language: any }} given
 */
export function showWordsToUse(list, { text, words, language }) {
  const items = words.map((word) => {
    const item = document.createElement("li"),
      came = hasWord(text, word);
    item.className = came ? "came" : "";
    item.textContent = language.say(came ? "word_came" : "word_missing", { word });
    return item;
  });
  list.hidden = !items.length;
  list.replaceChildren(...items);
}
