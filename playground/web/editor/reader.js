// <inkling-reader>: a story to inspect without a model, for saved HTML files.
//
//   await reader.start({ record, texts });
//
// `record`: a story's record (playground/stories/story.py), with alternatives; `texts`: text.json. Without the core,
// the bars show the model's own distribution, before the settings.

import { Popover } from "./popover.js";
import { Frame } from "./frame.js";
import { Language } from "./language.js";
import { CARD, ODDS, titleLegend } from "./layout.js";
import { Night } from "./night.js";
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
    this.innerHTML = FRAME; // a constant, without text of a story
    const frame = (this.frame = new Frame(this));
    const state = new State({ doc: { ...fromRecord(record), runs: [] }, settings: OWN_ODDS });
    const { tokens } = state;
    const editor = new Editor(frame.part("sheet"), {
      word: (k, opened) => this.card.open(k, opened),
      pass: (k) => this.card.pass(k),
      leave: () => this.card.leave(),
      editAt: () => {},
    });
    this.card = new Popover(
      { frame, state, editor, language, note: null },
      { ask: async (token) => candidatesOf(record.tokens[tokens.indexOf(token)]), branch: () => {} },
    );
    editor.show(tokens);
    editor.setLooking(true);
    this.reading = new Reading({ frame, state, editor, language });
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
    this.night = new Night(frame.part("night"), language);
    this.showWords();
    this.setOdds(true);
    this.setAttribute("ready", "");
  }

  click(action) {
    if (action === "close-card") this.card.close(true);
    else if (action === "night") this.night.toggle();
    else if (action === "read") this.reading.read();
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

  showWords() {
    const { language } = this;
    this.card.close();
    language.apply(this);
    titleLegend(this, language.code);
    this.night.show();
    this.reading.show();
    this.querySelector(".what").textContent = language.say("could_have_been");
    language.showNext(this.frame.part("language"));
  }
}

// Converts the alternatives of a token's record to candidates, as a source returns them.
/** @returns {Candidates} */
function candidatesOf({ token_id, probability, rank, alternatives }) {
  const logit = (share) => Math.log(Math.max(share, 1e-12));
  const candidates = alternatives.map((other) => [other.token_id, other.text, logit(other.probability)]);
  const known = alternatives.reduce((sum, other) => sum + other.probability, 0);
  /** @type {Candidates["rest"]} */
  const rest = [[logit(1 - known), 1]];
  return { candidates, rest, log_total: 0, token: { token_id, probability, rank } };
}

customElements.define("inkling-reader", Reader);
