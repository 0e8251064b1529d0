// The frame of the pages Train, Models and Publish: the header with links, language, day and night, and the error line.

import { begin } from "../begin.js";
import { Language } from "../editor/language.js";
import { Night } from "../editor/night.js";
import { placesBar } from "../places.js";
import { make, setText } from "../make.js";
import { storage } from "../story/storage.js";

const ROOT = new URL("../../", import.meta.url).href;

const frame = (here, body) => `
<header>
  <div class="brand"><h1 data-text="place_${here}"></h1><p data-text="tagline_${here}"></p></div>
  ${placesBar(here)}
  <div class="tools">
    <button type="button" data-do="night" data-part="night"></button>
    <button type="button" data-do="language" data-part="language"></button>
  </div>
</header>
<div class="refusal" data-part="refusal" hidden>
  <p role="alert" data-part="refusal-text"></p>
  <button type="button" class="quiet" data-do="close-refusal" data-label="close">✕</button>
</div>
<main>${body}</main>
<p class="live" aria-live="polite" data-part="live"></p>`;

export class Place {
  /**
   * @param {string} here name of the place
   * @param {Record<string, Record<string, string>>} texts
   * @param {string} body constant HTML with data-text, data-label and data-part
   */
  constructor(here, texts, body) {
    const wanted = [storage.local.get("inkling-language"), ...navigator.languages].filter(Boolean);
    this.language = new Language(texts, wanted);
    this.root = make("div", { className: "inkling", innerHTML: frame(here, body) });
    this.language.apply(this.root);
    document.body.append(this.root);
    document.documentElement.lang = this.language.code;
    document.title = `Inkling: ${this.say(`place_${here}`)}`;
    this.language.showNext(this.part("language"));
    const night = new Night(this.part("night"), this.language, {
      area: storage.local,
      changed: () => this.root.dispatchEvent(new Event("night")),
    });
    this.root.addEventListener("click", (event) => {
      const action = /** @type {any} */ (event.target).closest("button")?.dataset.do;
      if (action === "night") night.toggle();
      else if (action === "language") {
        storage.local.set("inkling-language", this.language.next);
        location.reload(); // the draft is kept (train/draft.js)
      } else if (action === "close-refusal") this.refuse(null);
    });
  }

  /**
   * @param {string} key
   * @param {object} [values]
   */
  say(key, values) {
    return this.language.say(key, values);
  }

  get code() {
    return this.language.code;
  }

  /**
   * @param {string} name
   * @returns {any}
   */
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /**
   * @param {string} selector
   * @returns {any[]}
   */
  all(selector) {
    return [...this.root.querySelectorAll(selector)];
  }

  /**
   * Shows an error; null hides it.
   * @param {any} problem
   */
  refuse(problem) {
    this.isLost = false;
    setText(this.part("refusal-text"), problem === null ? "" : problem.message || this.say("app_away"));
    this.part("refusal").hidden = problem === null;
  }

  /**
   * Shows an error of polling until `back`.
   * @param {any} problem
   */
  lose(problem) {
    this.refuse(problem);
    this.isLost = true;
  }

  /** Hides the error of polling after a successful answer. */
  back() {
    if (this.isLost) this.refuse(null);
  }

  /**
   * Announces a sentence to screen readers only.
   * @param {string} sentence
   */
  tell(sentence) {
    this.part("live").textContent = sentence;
  }

  /**
   * Carries out an action and shows its error. Returns whether it succeeded.
   * @param {() => any} act
   */
  async attempt(act) {
    this.refuse(null);
    try {
      await act();
      return true;
    } catch (problem) {
      this.refuse(problem);
      return false;
    }
  }
}

/**
 * Opens a page in its document.
 * @param {string} here
 * @param {string} body see Place
 * @param {string[]} more addresses of the page's own texts
 */
export async function openPlace(here, body, ...more) {
  const names = ["web/text.json", "web/studio/text.json", ...more];
  const files = await Promise.all(names.map((name) => begin(ROOT + name)));
  const texts = Object.fromEntries(
    Object.keys(files[0]).map((code) => [code, Object.assign({}, ...files.map((words) => words[code]))]),
  );
  return new Place(here, texts, body);
}
