// "Look closer": the list of the views that exist for the story's model, and the section that shows one of them.

import { make } from "../make.js";
import { partWith } from "../part.js";
import { idsOf } from "../story/tree.js";
import { VIEWS } from "../views.js";

export const VIEW = `
  <section class="view" data-part="view" aria-labelledby="ink-view" hidden>
    <h2 id="ink-view" tabindex="-1" data-part="view-title"></h2>
    <button type="button" class="quiet close" data-do="close-view" data-label="close">✕</button>
    <div data-part="view-room"></div>
  </section>`;

export class LookCloser extends partWith("frame", "state", "models", "source", "language", "note") {
  constructor(page) {
    super(page);
    this.list = this.frame.part("views");
    this.place = this.frame.part("view");
    this.given = givenBy(page);
    this.made = new Map(); // views that were opened before, by id
    this.open = null; // the row of the open view
    this.list.addEventListener("click", ({ target }) => this.click(target.closest("button")));
    this.state.on(["doc", "model", "settings", "writing", "core", "language"], () => this.changed());
  }

  get isOpen() {
    return this.open !== null;
  }

  click(button) {
    if (button) this.show(VIEWS.find(({ id }) => id === button.dataset.view));
  }

  // Opens a view; the focus goes to its heading.
  async show(row) {
    const { language, note } = this,
      { classList } = this.frame.root;
    this.close();
    try {
      if (!this.made.has(row.id)) {
        const [{ View }] = await Promise.all([row.load(), styled(row.id)]);
        this.made.set(row.id, new View(this.given));
      }
    } catch {
      note.tell("view_missing", { name: language.say(row.label) });
      return;
    }
    this.close(); // of two quick requests the later one stays
    this.open = row;
    classList.add("viewing");
    classList.toggle("wide", Boolean(row.wide));
    this.place.hidden = false;
    this.name();
    const room = make("div", { className: `view-${row.id}` });
    this.frame.part("view-room").replaceChildren(room);
    this.made.get(row.id).show(room);
    this.frame.part("view-title").focus({ preventScroll: true });
    this.place.scrollIntoView({ block: "nearest" });
  }

  close() {
    if (!this.open) return;
    const { id } = this.open;
    this.made.get(id).hide();
    this.open = null;
    this.place.hidden = true;
    this.frame.part("view-room").replaceChildren();
    this.frame.root.classList.remove("viewing", "wide");
    this.list.querySelector(`[data-view="${id}"]`)?.focus({ preventScroll: true });
  }

  name() {
    this.frame.part("view-title").textContent = this.language.say(this.open.label);
  }

  // Refreshes the views in the next frame, after a change of the story, settings, model, core or language.
  changed() {
    this.isDue ??= requestAnimationFrame(() => {
      this.isDue = null;
      this.refresh();
    });
  }

  refresh() {
    const existing = VIEWS.filter((row) => row.exists(this.given));
    const { language } = this;
    const shown = `${language.code} ${existing.map(({ id }) => id)}`;
    if (shown !== this.shown) this.list.replaceChildren(...existing.map((row) => this.item(row, language)));
    this.shown = shown;
    this.openByAddress(existing);
    if (!existing.includes(this.open)) this.close();
    if (!this.open) return;
    this.name();
    this.made.get(this.open.id).changed();
  }

  // Opens the view of an address that ends with #id or #id=...; the rest is for the view itself.
  openByAddress(existing) {
    if (this.address === location.hash) return;
    this.address = location.hash;
    const [id] = this.address.slice(1).split("=");
    const row = existing.find((view) => view.id === id);
    if (row && row !== this.open) this.show(row);
  }

  item({ id, label, about }, language) {
    const button = make("button", { type: "button", "data-view": id }, language.say(label));
    return make("li", {}, button, make("p", { className: "hint" }, language.say(about)));
  }
}

/**
 * Returns the object with which a view is constructed.
 * @returns {import("../views.js").Given}
 */
const givenBy = ({ state, models, source, language, note }) => ({
  get tokens() {
    return state.tokens;
  },
  get ids() {
    return idsOf(state.tokens);
  },
  get text() {
    return state.text;
  },
  get writing() {
    return Boolean(state.now.writing);
  },
  get model() {
    return state.now.model;
  },
  get settings() {
    return state.now.settings;
  },
  get core() {
    return state.now.core;
  },
  models,
  source,
  language,
  say: (sentence) => note.say(sentence),
});

// Loads the style of a view.
function styled(id) {
  return new Promise((onload, onerror) => {
    const { href } = new URL(`../${id}/view.css`, import.meta.url);
    document.head.append(make("link", { rel: "stylesheet", href, onload, onerror }));
  });
}
