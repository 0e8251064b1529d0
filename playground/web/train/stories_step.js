// The first step of Train: the stories, and how they are read.

import { entry, make, row, setText } from "../make.js";
import { Latest, get, post, put } from "../studio/server.js";
import { confirmByName } from "../studio/dialog.js";
import { compact, size } from "../studio/values.js";
import { KINDS, readingOf } from "./draft.js";
import { filesOf, linesOf, plan, setName } from "./upload.js";

const DEBOUNCE = 500; // ms after the last change, before stories are read

export const STORIES = `
<fieldset class="tabs"><legend class="live" data-text="which_stories"></legend>
  ${KINDS.map((kind) => `<label><input type="radio" name="kind" value="${kind}"><span data-text="kind_${kind}"></span></label>`).join("")}
</fieldset>
<div data-kind="sample"><p class="hint" data-text="kind_sample_hint"></p></div>
<div data-kind="mine" class="stack">
  <div class="drop" data-part="drop">
    <p data-text="drop_here"></p>
    <div class="row">
      <button type="button" data-part="choose-files" data-text="choose_files"></button>
      <button type="button" data-part="choose-folder" data-text="choose_folder"></button>
      <button type="button" data-part="paste" data-text="paste" aria-expanded="false"></button>
    </div>
    <input type="file" multiple hidden data-part="files"><input type="file" webkitdirectory hidden data-part="folder">
    <p class="hint" data-text="drop_hint"></p>
  </div>
  <form data-part="paste-form" hidden>
    <label for="pasted" data-text="pasted"></label>
    <textarea id="pasted" rows="8" aria-describedby="pasted-hint"></textarea>
    <p class="hint" id="pasted-hint" data-text="pasted_hint"></p>
    <div class="row"><input data-part="paste-name" data-label="set_name" value="my-stories" autocomplete="off"><button data-text="use_text"></button></div>
  </form>
  <p class="hint" data-part="sending" role="status"></p>
  <ul class="sets" data-part="sets"></ul>
</div>
<div data-kind="hub"><label for="hub" data-text="hub_name"></label>
  <input id="hub" placeholder="roneneldan/TinyStories" autocomplete="off" spellcheck="false" aria-describedby="hub-hint">
  <p class="hint" id="hub-hint" data-text="hub_hint"></p></div>
<div data-kind="path"><label for="path" data-text="path_name"></label>
  <input id="path" placeholder="/home/me/stories.jsonl" autocomplete="off" spellcheck="false" aria-describedby="path-hint">
  <p class="hint" id="path-hint" data-text="path_hint"></p></div>
<div class="reading" data-part="reading" aria-live="polite"></div>`;

export class StoriesStep {
  /**
   * @param {import("./new_run.js").NewRun} run
   * @param {{ sets: any[] }} stories
   */
  constructor(run, { sets }) {
    this.run = run;
    this.place = run.place;
    this.sets = sets;
    this.readKey = "";
    this.reading = new Latest("inspect", DEBOUNCE);
    const { place } = this;
    for (const radio of this.kinds)
      radio.addEventListener("change", () => run.change({ kind: /** @type {any} */ (radio).value }));
    for (const name of ["hub", "path"]) {
      const [field] = place.all(`#${name}`);
      field.value = run.draft[name];
      field.addEventListener("change", () => run.change({ [name]: field.value.trim() }));
    }
    for (const input of ["files", "folder"]) {
      place.part(`choose-${input}`).addEventListener("click", () => place.part(input).click());
      place.part(input).addEventListener("change", ({ target }) => {
        this.send([...target.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
        target.value = "";
      });
    }
    this.listenToDrops(place.part("drop"));
    place.part("paste").addEventListener("click", ({ target }) => {
      const form = place.part("paste-form");
      form.hidden = !form.hidden;
      target.setAttribute("aria-expanded", String(!form.hidden));
      if (!form.hidden) form.querySelector("textarea").focus();
    });
    place.part("paste-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.sendText(event.target.querySelector("textarea"), place.part("paste-name").value.trim());
    });
  }

  get kinds() {
    return this.place.all('[name="kind"]');
  }

  listenToDrops(box) {
    for (const name of ["dragenter", "dragover", "dragleave", "drop"])
      box.addEventListener(name, (event) => {
        event.preventDefault();
        box.classList.toggle("over", name === "dragenter" || name === "dragover");
      });
    box.addEventListener("drop", async (event) => this.send(await filesOf(event.dataTransfer)));
  }

  show() {
    const { draft } = this.run;
    for (const radio of this.kinds) radio.checked = radio.value === draft.kind;
    for (const part of this.place.all("[data-kind]")) part.hidden = part.dataset.kind !== draft.kind;
    this.showSets();
    this.read();
  }

  showSets() {
    const { place, run } = this;
    place.part("sets").replaceChildren(
      ...this.sets.map(({ name, bytes, files }) => {
        const radio = make("input", { type: "radio", name: "set", value: name, checked: name === run.draft.set });
        radio.addEventListener("change", () => run.change({ set: name }));
        const about = place.say("set_about", { n: files.length, size: size(bytes, place.code) });
        const remove = make("button", { type: "button", className: "quiet" }, place.say("delete"));
        remove.ariaLabel = `${place.say("delete")}: ${name}`;
        remove.addEventListener("click", () => this.remove(name));
        const label = make("label", {}, radio, make("b", {}, name), make("span", {}, about));
        return make("li", {}, label, remove);
      }),
    );
  }

  async remove(name) {
    const { place } = this;
    const title = place.say("delete_set", { name }),
      hint = place.say("delete_set_hint");
    if (!(await confirmByName(place, { title, hint, name, act: place.say("do_delete") }))) return;
    await place.attempt(() => post(`stories/${encodeURIComponent(name)}/delete`, { name }));
    await this.refresh(this.run.draft.set === name ? "" : this.run.draft.set);
  }

  async refresh(set) {
    await this.place.attempt(async () => {
      ({ sets: this.sets } = await get("stories"));
    });
    this.readKey = "";
    this.run.change({ kind: "mine", set });
  }

  async send(files) {
    const { place } = this;
    const { taken, left } = plan(files);
    const set = setName(files.length ? files[0].path : "");
    const isSent = await place.attempt(async () => {
      for (const [k, { name, file }] of taken.entries()) {
        setText(place.part("sending"), place.say("sending", { name, n: k + 1, max: taken.length }));
        await put(`stories/${set}/${encodeURIComponent(name)}`, file);
      }
    });
    const missed = left.length ? place.say("left_out", { names: left.slice(0, 5).join(", "), n: left.length }) : "";
    setText(place.part("sending"), missed);
    if (isSent && taken.length) await this.refresh(set);
  }

  async sendText(field, name) {
    if (!field.value.trim()) return;
    const set = setName(name);
    const isSent = await this.place.attempt(() => put(`stories/${set}/pasted.jsonl`, linesOf(field.value)));
    if (!isSent) return;
    field.value = "";
    this.place.part("paste").click();
    await this.refresh(set);
  }

  // Reads the chosen stories if they or the settings of reading have changed.
  read() {
    const { place, run } = this;
    const reading = readingOf(run.draft, run.preset);
    const key = JSON.stringify(reading);
    if (key === this.readKey) return;
    this.readKey = key;
    run.read(null);
    this.reading.stop();
    const box = place.part("reading");
    if (!reading.source) {
      box.replaceChildren();
      return;
    }
    box.replaceChildren(make("p", { className: "hint" }, place.say("reading_stories")));
    this.reading.ask(reading, {
      hear: (result) => {
        if (!result) return;
        run.read(result);
        this.showReading(box, result);
      },
      fail: ({ message }) => box.replaceChildren(make("p", { className: "problem" }, message || place.say("app_away"))),
    });
  }

  showReading(box, { stories, kept, tokens, files, notes, warnings }) {
    const { place } = this,
      { code } = place;
    const more = files.some((file) => file.more);
    const figures = [
      entry(place.say("figure_stories"), compact(stories, code) + (more ? "+" : "")),
      entry(place.say("figure_kept"), compact(kept, code)),
      entry(place.say("figure_tokens"), tokens === null ? "–" : compact(tokens, code)),
    ];
    const shown = files.flatMap((file) => file.shown).slice(0, 3);
    const details = files.flatMap((file) => file.details).map(([name, value]) => row(name, value));
    const rules = ["dropped", "changed"].flatMap((kind) =>
      summed(files.flatMap((file) => file[kind])).map(({ rule, stories: n, meaning }) =>
        row(rule, `${place.say(`rule_${kind}`, { n })}: ${meaning}`),
      ),
    );
    const all = (tag, texts, values = {}) => texts.map((text) => make(tag, values, text));
    const group = { className: "stories-shown", role: "group", "aria-label": place.say("three_stories") };
    box.replaceChildren(
      make("dl", { className: "figures" }, ...figures),
      ...all("p", warnings, { className: "warning" }),
      make("div", group, ...all("p", shown)),
      make(
        "details",
        {},
        make("summary", {}, place.say("how_read")),
        make("ul", {}, ...all("li", notes)),
        make("table", {}, make("tbody", {}, ...details, ...rules)),
      ),
    );
  }
}

/** Sums the rows of several files by rule. */
function summed(rows) {
  const sums = new Map();
  for (const row of rows) {
    const before = sums.get(row.rule)?.stories ?? 0;
    sums.set(row.rule, { ...row, stories: before + row.stories });
  }
  return [...sums.values()];
}
