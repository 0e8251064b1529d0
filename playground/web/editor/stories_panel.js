// "Your stories": the list of stored stories, to open, rename, delete, export and import.

import { make } from "../make.js";
import { partWith } from "../part.js";
import { download } from "../share/download.js";
import { moveInList } from "./list_keys.js";
import { askName } from "./name_field.js";

const FILE = "inkling-stories.json";

export const STORIES = `
<section class="stories" data-part="stories" aria-labelledby="ink-stories" hidden>
  <h2 id="ink-stories" tabindex="-1" data-text="stories"></h2>
  <button type="button" class="quiet close" data-stories="close" data-label="close">✕</button>
  <p class="hint" data-part="stories-hint"></p>
  <ul data-part="stories-list"></ul>
  <p class="hint" data-part="stories-note" role="status"></p>
  <div class="open-link">
    <label for="ink-open" data-text="open_link"></label>
    <input id="ink-open" autocomplete="off" spellcheck="false" aria-describedby="ink-open-hint">
    <p class="hint" id="ink-open-hint" data-text="open_link_hint"></p>
  </div>
  <div class="row">
    <button type="button" data-stories="undo" data-part="stories-undo" data-text="undelete" hidden></button>
    <button type="button" data-stories="export" data-part="stories-export" data-text="stories_export"></button>
    <button type="button" data-stories="import" data-part="stories-import" data-text="stories_import"></button>
    <input type="file" id="ink-stories-file" accept=".json,application/json" hidden>
  </div>
</section>`;

export class StoriesPanel extends partWith("frame", "state", "language", "stories", "editor") {
  // `opens`: called before the list is shown.
  constructor(page, opens) {
    super(page);
    const { frame } = this;
    this.opens = opens;
    this.element = frame.part("stories");
    this.list = frame.part("stories-list");
    this.file = frame.field("stories-file");
    this.deleted = null;
    this.focused = null; // the story whose entry gets the focus; "" for the button that undoes a deletion
    this.state.on(["language"], () => this.refresh());
    this.element.addEventListener("click", (event) => this.click(event.target.closest("button")));
    this.element.addEventListener("keydown", (event) => moveInList(this.list, event));
    this.file.addEventListener("change", () => this.attempt(() => this.import()));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  part(name) {
    return this.frame.part(`stories-${name}`);
  }

  text(key, values) {
    return this.language.say(key, values);
  }

  say(key, values) {
    this.part("note").textContent = key ? this.text(key, values) : "";
  }

  async toggle() {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.opens();
    this.element.hidden = false;
    this.say("");
    await this.show();
    this.frame.field("stories").focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  close() {
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.deleted = null;
    this.part("undo").hidden = true;
    if (inside) this.frame.part("open-stories").focus();
  }

  // Runs an action, and reports an error of the storage.
  async attempt(work) {
    try {
      await work();
    } catch (problem) {
      this.stories.store.fail(problem);
    }
    await this.show();
  }

  async click(button) {
    if (!button) return;
    const id = button.closest("li")?.dataset.id,
      { stories } = this;
    const action = button.dataset.stories;
    if (action === "close") this.close();
    else if (action === "export") await this.attempt(() => this.export());
    else if (action === "import") this.file.click();
    else if (action === "undo") await this.attempt(() => this.undelete());
    else if (button.className === "rename") this.rename(button.closest("li"), id);
    else if (this.state.now.writing) this.say("stories_wait");
    else if (button.className === "prune") await this.attempt(() => this.remove(button.closest("li"), id));
    else if (button.className === "go") {
      this.close();
      if (id !== stories.store.id) await this.attempt(() => stories.open(id));
      this.editor.element.focus({ preventScroll: true });
    }
  }

  rename(item, id) {
    askName(item.querySelector(".go"), {
      name: item.dataset.name,
      label: this.text("story_name"),
      keep: (name) => this.attempt(() => this.stories.store.rename(id, name)),
    });
  }

  async remove(item, id) {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    const name = item.querySelector(".title").textContent;
    this.deleted = await this.stories.remove(id);
    this.say("story_deleted", { name });
    this.part("undo").hidden = false;
    this.focused = next?.dataset.id ?? "";
  }

  async undelete() {
    const { deleted } = this;
    if (!deleted) return;
    await this.stories.restore(deleted);
    this.deleted = null;
    this.part("undo").hidden = true;
    this.focused = deleted.kept.id;
    this.say("");
  }

  async export() {
    download(new Blob([await this.stories.exported()], { type: "application/json" }), FILE);
    this.say("made", { name: FILE });
  }

  async import() {
    const [file] = this.file.files;
    if (!file) return;
    const counts = await this.stories.imported(await file.text());
    this.file.value = "";
    if (!counts) this.say("stories_no_file", { name: file.name });
    else if (counts.unreadable) this.say("stories_some_added", { n: counts.added, m: counts.unreadable });
    else this.say("stories_added", { n: counts.added });
  }

  // Shows the list again after a change, unless a name is being typed.
  refresh() {
    if (this.isOpen && !this.list.querySelector("input")) this.show();
  }

  async show() {
    if (!this.isOpen) return;
    const { stories } = this;
    const heads = await stories.store.list().catch(() => []);
    this.part("hint").textContent = this.text(
      stories.problem === "full" ? "storage_full" : stories.problem ? "storage_none" : "stories_hint",
    );
    const focused =
      this.focused ?? (this.list.contains(document.activeElement) && document.activeElement.closest("li").dataset.id);
    this.focused = null;
    this.list.replaceChildren(...heads.map((head) => this.item(head, head.id === stories.store.id)));
    this.part("export").disabled = !heads.length;
    if (focused) this.list.querySelector(`[data-id="${CSS.escape(focused)}"] .go`)?.focus();
    else if (focused === "") this.part("undo").focus();
  }

  item({ id, name, text, size }, isHere) {
    const begins = text.replace(/\s+/g, " ") || this.text("untitled"),
      count = this.text("story_size", { n: size });
    const title = make("span", { className: "title" }, name || begins),
      about = make("span", { className: "hint" }, name ? `${count}: ${begins}` : count);
    const button = (className, values, ...content) =>
      make("button", { type: "button", className, ...values }, ...content);
    const labelled = (key) => ({ "aria-label": `${this.text(key)}: ${name || begins}` });
    const go = button("go", { "aria-current": isHere ? "true" : null }, title, about),
      rename = button("rename", labelled("rename"), "✎"),
      remove = button("prune", labelled("delete"), "✕");
    return make("li", { "data-id": id, "data-name": name }, go, rename, remove);
  }
}
