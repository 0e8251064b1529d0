// "Look closer": the list of the views that exist for the story's model, and the place where one of them is shown.

import { VIEWS } from "../views.js";

export const VIEW = `
  <section class="view" data-part="view" aria-labelledby="ink-view" hidden>
    <h2 id="ink-view" tabindex="-1" data-part="view-title"></h2>
    <button type="button" class="quiet close" data-do="close-view" data-label="close">✕</button>
    <div data-part="view-room"></div>
  </section>`;

export class LookCloser {
  /**
   * @param {{classList: DOMTokenList}} host has the class `viewing` while a view is open, `wide` if it takes the story's place
   * @param {{list: HTMLElement, place: HTMLElement}} elements the list of views, and where VIEW stands
   * @param {import("../views.js").Given} given what every view is constructed with
   */
  constructor(host, { list, place }, given, views = VIEWS) {
    this.host = host;
    this.list = list;
    this.place = place;
    this.given = given;
    this.views = views;
    this.made = new Map(); // views that were opened before, by id
    this.open = null; // the row of the one that is open
    list.addEventListener("click", ({ target }) => this.click(/** @type {Element} */ (target).closest("button")));
  }

  get isOpen() {
    return this.open !== null;
  }

  part(name) {
    return /** @type {HTMLElement} */ (this.place.querySelector(`[data-part="view-${name}"]`));
  }

  click(button) {
    if (button) this.show(this.views.find(({ id }) => id === button.dataset.view));
  }

  // Opens a view; the focus goes to its heading.
  async show(row) {
    const { language } = this.given;
    this.close();
    try {
      if (!this.made.has(row.id)) {
        const [{ View }] = await Promise.all([row.load(), styled(row.id)]);
        this.made.set(row.id, new View(this.given));
      }
    } catch {
      this.given.say(language.say("view_missing", { name: language.say(row.label) }));
      return;
    }
    this.close(); // of two that were asked for, the later one stays
    this.open = row;
    this.host.classList.add("viewing");
    this.host.classList.toggle("wide", Boolean(row.wide));
    this.place.hidden = false;
    this.name();
    const room = document.createElement("div");
    room.className = `view-${row.id}`;
    this.part("room").replaceChildren(room);
    this.made.get(row.id).show(room);
    this.part("title").focus({ preventScroll: true });
    this.place.scrollIntoView({ block: "nearest" });
  }

  close() {
    if (!this.open) return;
    const { id } = this.open;
    this.made.get(id).hide();
    this.open = null;
    this.place.hidden = true;
    this.part("room").replaceChildren();
    this.host.classList.remove("viewing", "wide");
    const opener = /** @type {HTMLElement | null} */ (this.list.querySelector(`[data-view="${id}"]`));
    opener?.focus({ preventScroll: true });
  }

  name() {
    this.part("title").textContent = this.given.language.say(this.open.label);
  }

  // The story, its settings, the model, the core or the language may have changed.
  changed() {
    this.isDue ??= requestAnimationFrame(() => {
      this.isDue = null;
      this.refresh();
    });
  }

  refresh() {
    const there = this.views.filter((row) => row.exists(this.given));
    const { language } = this.given;
    const shown = `${language.code} ${there.map(({ id }) => id)}`;
    if (shown !== this.shown) this.list.replaceChildren(...there.map((row) => this.item(row, language)));
    this.shown = shown;
    this.openByAddress(there);
    if (!this.open) return;
    if (!there.includes(this.open)) {
      this.close();
      return;
    }
    this.name();
    this.made.get(this.open.id).changed();
  }

  // An address that ends with #id, or with #id=..., opens the view of that id; the rest is for the view itself.
  openByAddress(there) {
    if (this.address === location.hash) return;
    this.address = location.hash;
    const [id] = this.address.slice(1).split("=");
    const row = there.find((one) => one.id === id);
    if (row && row !== this.open) this.show(row);
  }

  item({ id, label, about }, language) {
    const item = document.createElement("li"),
      button = document.createElement("button"),
      hint = document.createElement("p");
    button.type = "button";
    button.dataset.view = id;
    button.textContent = language.say(label);
    hint.className = "hint";
    hint.textContent = language.say(about);
    item.append(button, hint);
    return item;
  }
}

// The style of a view, once it is loaded.
function styled(id) {
  return new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../${id}/view.css`, import.meta.url).href;
    link.onload = resolve;
    link.onerror = reject;
    document.head.append(link);
  });
}
