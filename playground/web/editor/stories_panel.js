// "Your stories": the list of what this browser keeps, to open, rename, delete, save as a file and add from one.

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
  <div class="row">
    <button type="button" data-stories="undo" data-part="stories-undo" data-text="undelete" hidden></button>
    <button type="button" data-stories="export" data-part="stories-export" data-text="stories_export"></button>
    <button type="button" data-stories="import" data-part="stories-import" data-text="stories_import"></button>
    <input type="file" id="ink-stories-file" accept=".json,application/json" hidden>
  </div>
</section>`;

export class StoriesPanel {
  constructor(writer) {
    this.writer = writer;
    this.element = writer.part("stories");
    this.list = writer.part("stories-list");
    this.file = writer.field("stories-file");
    this.deleted = null;
    this.element.addEventListener("click", (event) => this.click(event.target.closest("button")));
    this.element.addEventListener("keydown", (event) => moveInList(this.list, event));
    this.file.addEventListener("change", () => this.attempt(() => this.import()));
  }

  get isOpen() {
    return !this.element.hidden;
  }

  part(name) {
    return this.writer.part(`stories-${name}`);
  }

  text(key, values) {
    return this.writer.language.say(key, values);
  }

  say(key, values) {
    this.part("note").textContent = key ? this.text(key, values) : "";
  }

  async toggle() {
    if (this.isOpen) {
      this.close();
      return;
    }
    this.writer.sharePanel.close();
    this.element.hidden = false;
    this.say("");
    await this.show();
    this.writer.field("stories").focus({ preventScroll: true });
    this.element.scrollIntoView({ block: "nearest" });
  }

  close() {
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    this.deleted = null;
    this.part("undo").hidden = true;
    if (inside) this.writer.querySelector('[data-do="stories"]').focus();
  }

  // Storage may fail at every one of these.
  async attempt(work) {
    try {
      await work();
    } catch (problem) {
      this.writer.stories.store.fail(problem);
    }
    await this.show();
  }

  async click(button) {
    if (!button) return;
    const id = button.closest("li")?.dataset.id,
      { stories } = this.writer;
    const action = button.dataset.stories;
    if (action === "close") this.close();
    else if (action === "export") await this.attempt(() => this.export());
    else if (action === "import") this.file.click();
    else if (action === "undo") await this.attempt(() => this.undelete());
    else if (button.className === "rename") this.rename(button.closest("li"), id);
    else if (this.writer.writing) this.say("stories_wait");
    else if (button.className === "prune") await this.attempt(() => this.remove(button.closest("li"), id));
    else if (button.className === "go") {
      this.close();
      if (id !== stories.store.id) await this.attempt(() => stories.open(id));
      this.writer.sheet.element.focus({ preventScroll: true });
    }
  }

  rename(item, id) {
    askName(item.querySelector(".go"), {
      name: item.dataset.name,
      label: this.text("story_name"),
      keep: (name) => this.attempt(() => this.writer.stories.store.rename(id, name)),
    });
  }

  async remove(item, id) {
    const next = item.nextElementSibling ?? item.previousElementSibling;
    const name = item.querySelector(".title").textContent;
    this.deleted = await this.writer.stories.remove(id);
    this.say("story_deleted", { name });
    this.part("undo").hidden = false;
    this.focused = next?.dataset.id ?? "";
  }

  async undelete() {
    const { deleted } = this;
    if (!deleted) return;
    await this.writer.stories.restore(deleted);
    this.deleted = null;
    this.part("undo").hidden = true;
    this.focused = deleted.kept.id;
    this.say("");
  }

  async export() {
    const link = document.createElement("a");
    link.download = FILE;
    link.href = URL.createObjectURL(new Blob([await this.writer.stories.exported()], { type: "application/json" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
    this.say("made", { name: FILE });
  }

  async import() {
    const [file] = this.file.files;
    if (!file) return;
    const found = await this.writer.stories.imported(await file.text());
    this.file.value = "";
    if (!found) this.say("stories_no_file", { name: file.name });
    else if (found.unreadable) this.say("stories_some_added", { n: found.added, m: found.unreadable });
    else this.say("stories_added", { n: found.added });
  }

  // After a change of what is kept, unless a name is being written.
  refresh() {
    if (this.isOpen && !this.list.querySelector("input")) this.show();
  }

  async show() {
    if (!this.isOpen) return;
    const { stories } = this.writer;
    const heads = await stories.store.list().catch(() => []);
    this.part("hint").textContent = this.text(
      stories.problem === "full" ? "storage_full" : stories.problem ? "storage_none" : "stories_hint",
    );
    const focused =
      this.focused ?? (this.list.contains(document.activeElement) && document.activeElement.closest("li").dataset.id);
    this.focused = undefined;
    this.list.replaceChildren(...heads.map((head) => this.item(head, head.id === stories.store.id)));
    this.part("export").disabled = !heads.length;
    if (focused) this.list.querySelector(`[data-id="${CSS.escape(focused)}"] .go`)?.focus();
    else if (focused === "") this.part("undo").focus();
  }

  item({ id, name, text, size }, isHere) {
    const item = document.createElement("li");
    item.dataset.id = id;
    item.dataset.name = name;
    const begins = text.replace(/\s+/g, " ") || this.text("untitled");
    const title = document.createElement("span"),
      about = document.createElement("span");
    title.className = "title";
    title.textContent = name || begins;
    about.className = "hint";
    const count = this.text("story_size", { n: size });
    about.textContent = name ? `${count}: ${begins}` : count;
    for (const [kind, label] of [
      ["go", ""],
      ["rename", "✎"],
      ["prune", "✕"],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = kind;
      if (kind === "go") button.append(title, about);
      else {
        button.textContent = label;
        button.setAttribute("aria-label", `${this.text(kind === "prune" ? "delete" : "rename")}: ${title.textContent}`);
      }
      if (kind === "go" && isHere) button.setAttribute("aria-current", "true");
      item.append(button);
    }
    return item;
  }
}
