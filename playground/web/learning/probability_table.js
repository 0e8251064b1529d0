// A table of the probability of each word of a text: a row per snapshot, a column per word.

import { headings, make } from "../make.js";
import { label } from "../sampling/bars.js";
import { percent, surpriseLevel } from "../sampling/odds.js";

const RARE = 0.001; // smaller probabilities are shown only in the cell's title

/**
 * Fills the table.
 * @param {HTMLTableElement} table
 * @param {{name: string, tokens: [string, number, number][] | null}[]} rows name of each snapshot, and the text with
 *   its surprise, null until it is known
 * @param {number} at row of the chosen snapshot
 * @param {string} code of the language
 * @param {(k: number) => void} choose called with the index of a chosen row
 */
export function showProbabilityTable(table, rows, at, code, choose) {
  const words = rows.find(({ tokens }) => tokens)?.tokens ?? [];
  const head = headings(...words.map(([text]) => label(text)));
  head.prepend(make("td"));
  const cell = (token) => {
    if (!token) return make("td");
    const [text, surprise] = token,
      probability = Math.exp(-surprise),
      share = percent(probability, code);
    const values = { "data-odds": surpriseLevel(surprise), title: `${label(text)}: ${share}` };
    return make("td", values, probability < RARE ? `< ${percent(RARE, code)}` : share);
  };
  const body = rows.map(({ name, tokens }, k) => {
    const button = make("button", { type: "button", className: "quiet", onclick: () => choose(k) }, name);
    const cells = words.map((_, place) => cell(tokens?.[place]));
    return make("tr", { className: k === at ? "here" : "" }, make("th", { scope: "row" }, button), ...cells);
  });
  const focused = table.contains(document.activeElement) ? document.activeElement?.textContent : null;
  table.replaceChildren(head, ...body);
  if (focused) [...table.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
}
