// The blind vote: four buttons while a vote is due, and what all votes of this browser say.

import { row } from "../make.js";
import { download } from "../share/download.js";
import { storage } from "../story/storage.js";
import { csv, estimates } from "./votes.js";

const KEPT = "compare votes";

export const BALLOT = `
  <div class="row" role="group" data-label="compare_vote" data-role="due" hidden>
    <button type="button" data-vote="left" data-text="compare_left"></button>
    <button type="button" data-vote="right" data-text="compare_right"></button>
    <button type="button" data-vote="tie" data-text="compare_tie"></button>
    <button type="button" data-vote="bad" data-text="compare_bad"></button>
  </div>
  <section class="votes" data-role="votes" hidden>
    <h3 data-text="compare_votes"></h3>
    <p class="hint" data-text="compare_votes_hint"></p>
    <div class="scroll" tabindex="0" role="group" data-label="compare_votes"><table><thead><tr>
      <th scope="col" data-text="compare_contender"></th><th scope="col" data-text="compare_wins"></th>
      <th scope="col" data-text="compare_interval"></th><th scope="col" data-text="compare_count"></th></tr></thead>
      <tbody></tbody></table></div>
    <div class="row"><button type="button" data-role="csv" data-text="compare_csv"></button>
      <button type="button" class="quiet" data-role="forget" data-text="compare_forget"></button></div>
  </section>`;

export class Ballot {
  /**
   * @param {HTMLElement} frame that holds BALLOT
   * @param {(vote: string) => void} choose hears "left", "right", "tie" or "bad"
   */
  constructor(frame, choose) {
    this.part = (role) => /** @type {HTMLElement} */ (frame.querySelector(`[data-role="${role}"]`));
    this.votes = storage.local.value(KEPT) ?? [];
    for (const button of /** @type {NodeListOf<HTMLElement>} */ (frame.querySelectorAll("[data-vote]")))
      button.onclick = () => choose(button.dataset.vote);
    this.part("csv").onclick = () => download(new Blob([csv(this.votes)], { type: "text/csv" }), "votes.csv");
    this.part("forget").onclick = () => {
      storage.local.remove(KEPT);
      this.votes = [];
      this.part("votes").hidden = true;
    };
  }

  add(vote) {
    this.votes.push({ time: new Date().toISOString(), ...vote });
    storage.local.set(KEPT, JSON.stringify(this.votes));
  }

  // `code`: of the language.
  draw(isDue, code) {
    this.part("due").hidden = !isDue;
    this.part("votes").hidden = !this.votes.length;
    const chance = (share) => share.toLocaleString(code, { style: "percent" });
    const rows = estimates(this.votes).map(({ name, share, low, high, count }) => {
      const cells = [chance(share), `${chance(low)} – ${chance(high)}`, count.toLocaleString(code)];
      return row(name, ...cells);
    });
    const [table] = this.part("votes").getElementsByTagName("tbody");
    table.replaceChildren(...rows);
  }
}
