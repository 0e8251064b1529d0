// A column on the page: what is chosen for it, its story, and where that differs from the first column's.

import { headings, make, row, setText } from "../make.js";
import { label } from "../sampling/bars.js";
import { percent, surpriseLevel } from "../sampling/odds.js";
import { SLIDERS } from "../sampling/settings.js";

export const OWN = SLIDERS.filter(({ name }) => name !== "length"); // settings that a column may have of its own

const CARD = `
  <div class="head">
    <h3></h3>
    <button type="button" class="quiet" data-role="remove" data-label="compare_remove">✕</button>
    <div class="chosen">
      <select name="model" data-label="compare_model"></select>
      <select name="step" data-label="compare_snapshot"></select>
      <p class="hint" data-role="how"></p>
      <details><summary data-text="compare_settings"></summary><div class="own"></div></details>
    </div>
  </div>
  <p class="tale" lang="en"></p>
  <div class="divergence"></div>`;

// The settings of a column that are not the page's, in words.
export const how = ({ own }, language) =>
  Object.entries(own)
    .map(([name, value]) => `${language.say(name)} ${Array.isArray(value) ? value.join(", ") : value}`)
    .join(" · ");

export class ColumnCard {
  /**
   * @param {number} number of the column
   * @param {{choose: (name: string, value: string) => void, remove: () => void}} actions
   */
  constructor(number, { choose, remove }) {
    this.element = make("section", { innerHTML: CARD }); // constant
    this.element.dataset.column = String(number);
    this.part("h3").id = `ink-compare-${number}`;
    this.element.setAttribute("aria-labelledby", this.part("h3").id);
    this.element.addEventListener("change", ({ target }) => {
      if (target.checkValidity()) choose(target.name, target.value);
    });
    this.part("[data-role=remove]").onclick = remove;
    this.part(".own").append(
      ...OWN.map(({ name, low, high, step }) => {
        const field = make("input", { type: "number", name, min: low, max: high, step, required: true });
        return make("label", {}, make("span", { "data-text": name }), field);
      }),
    );
  }

  part(selector) {
    return /** @type {any} */ (this.element.querySelector(selector));
  }

  /**
   * @param {import("./columns.js").Column} column
   * @param {{name: string, isBlind: boolean, canGo: boolean, models: ModelInfo[], stages: {step: number}[],
   *   settings: Record<string, any>, language: import("../views.js").Given["language"]}} shown
   */
  draw(column, { name, isBlind, canGo, models, stages, settings, language }) {
    language.apply(this.element);
    setText(this.part("h3"), name);
    this.part(".chosen").hidden = isBlind;
    this.part("[data-role=remove]").hidden = !canGo;
    const steps = stages.map(({ step }) => step);
    if (column.step !== null && !steps.includes(column.step)) steps.push(column.step);
    const options = steps.map((n) => new Option(language.say("compare_step", { n }), String(n)));
    this.part("[name=model]").replaceChildren(...models.map((model) => new Option(model.name, model.name)));
    this.part("[name=model]").value = column.model;
    this.part("[name=step]").hidden = !steps.length;
    this.part("[name=step]").replaceChildren(new Option(language.say("compare_whole"), ""), ...options);
    this.part("[name=step]").value = String(column.step ?? "");
    setText(this.part("[data-role=how]"), how(column, language));
    for (const row of OWN) this.part(`[name=${row.name}]`).value = String(column.own[row.name] ?? settings[row.name]);
  }

  /**
   * @param {Token[]} tokens
   * @param {import("./view.js").Divergence | null} divergence
   * @param {{names: string[], isWaiting: boolean, language: import("../views.js").Given["language"]}} shown `names` of
   *   the first column and of this one
   */
  drawStory(tokens, divergence, { names, isWaiting, language }) {
    const tale = this.part(".tale");
    tale.setAttribute("aria-busy", String(isWaiting));
    tale.replaceChildren(
      ...tokens.map(({ t, s, r }, place) => {
        const word = make(place === divergence?.places[1] ? "mark" : r < 0 ? "b" : "span", {}, t);
        if (r >= 0) word.dataset.odds = String(surpriseLevel(s));
        return word;
      }),
    );
    this.part(".divergence").replaceChildren(...(divergence ? [divergenceTable(divergence, names, language)] : []));
  }
}

// Both words at the first difference of two columns, with their probabilities in each column.
function divergenceTable({ words, cells }, names, language) {
  const share = (cell) => {
    if (!cell) return cell === undefined ? "…" : "–"; // not known yet; not to be known
    const before = percent(cell.before, language.code);
    const after = cell.after === null ? before : percent(cell.after, language.code);
    return after === before ? before : `${before} → ${after}`;
  };
  const head = headings(...names);
  head.prepend(make("td"));
  const rows = words.map((word, w) => row(label(word.t), ...names.map((_, k) => share(cells?.[w][k]))));
  const caption = make("caption", {}, language.say("compare_divergence"));
  return make("table", {}, caption, make("thead", {}, head), make("tbody", {}, ...rows));
}
