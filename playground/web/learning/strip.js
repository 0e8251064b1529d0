// How surprised each snapshot was by each word of a text: snapshots down, words across.

import { make } from "../make.js";
import { label } from "../sampling/bars.js";
import { percent, surpriseLevel } from "../sampling/odds.js";

const RARE = 0.001; // below which a cell says no more; its title does

/**
 * Fills a table.
 * @param {HTMLTableElement} table
 * @param {{name: string, tokens: [string, number, number][] | null}[]} rows of each snapshot what it is called and the
 *   text as it reads it, null as long as that is not known
 * @param {number} at the row of the snapshot that is chosen
 * @param {string} code of the language
 * @param {(k: number) => void} choose a row was chosen
 */
export function showStrip(table, rows, at, code, choose) {
  const words = rows.find(({ tokens }) => tokens)?.tokens ?? [];
  const head = make("tr", {}, make("td"), ...words.map(([text]) => make("th", { scope: "col" }, label(text))));
  const body = rows.map(({ name, tokens }, k) => {
    const row = document.createElement("tr");
    const button = make("button", { type: "button", className: "quiet", onclick: () => choose(k) }, name);
    row.classList.toggle("here", k === at);
    row.append(
      make("th", { scope: "row" }, button),
      ...words.map((_, place) => {
        const found = tokens?.[place];
        if (!found) return make("td");
        const probability = percent(Math.exp(-found[1]), code);
        const isRare = Math.exp(-found[1]) < RARE;
        const values = { "data-odds": surpriseLevel(found[1]), title: `${label(found[0])}: ${probability}` };
        return make("td", values, isRare ? `< ${percent(RARE, code)}` : probability);
      }),
    );
    return row;
  });
  const focused = table.contains(document.activeElement) ? document.activeElement?.textContent : null;
  table.replaceChildren(head, ...body);
  if (focused) [...table.querySelectorAll("button")].find((button) => button.textContent === focused)?.focus();
}
