// <inkling-reader>: a story to look through, without a model: for a file that somebody was sent.
//
//   await reader.start({ record, texts });
//
// `record`: a story's record (playground/stories/story.py), whose tokens say what else could have stood
// there; `texts`: text.json. What settings make of the odds is not known here, so the bars are the model's own.

import { Popover } from "./popover.js";
import { Frame } from "./frame.js";
import { Language } from "./language.js";
import { CARD, ODDS, titleLegend } from "./layout.js";
import { Reading } from "./reading.js";
import { neutral } from "../sampling/settings.js";
import { Editor } from "./editor.js";
import { State } from "../story/state.js";
import { fromRecord } from "../story/tree.js";

/** @type {any} */
const OWN_ODDS = { ...neutral, temperature: 1 };

const FRAME = `
  <article class="paper">
    <div class="ruler">
      ${ODDS}
      <button type="button" class="quiet" data-do="read" data-part="read" data-text="read"></button>
      <button type="button" class="quiet" data-do="night" data-part="night"></button>
      <button type="button" class="quiet" data-do="language" data-part="language"></button>
    </div>
    <div class="sheet" data-part="sheet" data-label="sheet" spellcheck="false"></div>
    ${CARD}
  </article>`;

class Reader extends HTMLElement {
  connectedCallback() {
    this.classList.add("inkling");
  }

  start({ record, texts }) {
    const language = (this.language = new Language(texts, navigator.languages));
    this.innerHTML = FRAME; // constant: no word of a story is in it
    const frame = (this.frame = new Frame(this));
    const state = new State({ doc: { ...fromRecord(record), runs: [] }, settings: OWN_ODDS });
    const { tokens } = state;
    const sheet = new Editor(frame.part("sheet"), {
      word: (k, opened) => this.card.open(k, opened),
      pass: (k) => this.card.pass(k),
      leave: () => this.card.leave(),
      editAt: () => {},
    });
    this.card = new Popover(
      { frame, state, sheet, language, note: null },
      { ask: async (token) => candidatesOf(record.tokens[tokens.indexOf(token)]), turn: () => {} },
    );
    sheet.show(tokens);
    sheet.setLooking(true);
    this.reading = new Reading({ frame, state, sheet, language });
    this.addEventListener("click", (event) =>
      this.click(/** @type {Element} */ (event.target).closest("button")?.dataset.do),
    );
    const odds = frame.field("odds");
    odds.addEventListener("change", () => this.setOdds(odds.checked));
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.card.isOpen) this.card.close(true);
      else this.reading.stop();
    });
    const system = matchMedia("(prefers-color-scheme: dark)");
    this.showNight(system.matches);
    system.addEventListener("change", () => this.isChosen || this.showNight(system.matches));
    this.showWords();
    this.setOdds(true);
    this.setAttribute("ready", "");
  }

  click(action) {
    if (action === "close-card") this.card.close(true);
    else if (action === "night") {
      this.isChosen = true; // by a person; else it is as the system has it
      this.showNight(!this.night);
    } else if (action === "read") this.reading.read();
    else if (action === "language") {
      this.language.code = this.language.next;
      this.showWords();
    }
  }

  setOdds(on) {
    this.frame.field("odds").checked = on;
    this.classList.toggle("odds", on);
    this.frame.part("legend").hidden = !on;
  }

  showNight(on) {
    this.night = on;
    document.body.classList.toggle("dark", on);
    this.frame.part("night").textContent = this.language.say(on ? "day" : "night");
  }

  showWords() {
    const { language } = this;
    this.card.close();
    language.apply(this);
    titleLegend(this, language.code);
    this.showNight(this.night);
    this.reading.show();
    this.querySelector(".what").textContent = language.say("could_have_been");
    const next = this.frame.part("language");
    next.textContent = language.texts[language.next].language;
    next.lang = language.next;
  }
}

// What could have stood where a token of a record stands, as the model's server says it.
/** @returns {Candidates} */
function candidatesOf({ token_id, probability, rank, alternatives }) {
  const candidates = alternatives.map((one) => [one.token_id, one.text, Math.log(Math.max(one.probability, 1e-12))]);
  const known = alternatives.reduce((sum, one) => sum + one.probability, 0);
  /** @type {Candidates["rest"]} */
  const rest = [[Math.log(Math.max(1 - known, 1e-12)), 1]];
  return { candidates, rest, log_total: 0, token: { token_id, probability, rank } };
}

customElements.define("inkling-reader", Reader);
