// A run in the list of Models: its state and figures, a small curve, and its buttons.

import { sparkline } from "../studio/curve.js";
import { ask } from "../studio/dialog.js";
import { RunButtons } from "../studio/run_actions.js";
import { cardChoice, make, setText, svg } from "../make.js";
import { figures, isBusy, progress, timeSentence, toneOf } from "../studio/run.js";
import { follow, get, post } from "../studio/server.js";
import { moment, percent, size } from "../studio/values.js";
import { showFigures } from "../train/run_view.js";

const WIDTH = 160,
  HEIGHT = 44; // of the small curve, px
const POINTS = 60;
const SHOWN = ["write", "resume", "pause", "stop", "evaluate", "export", "publish", "delete"];
const FIGURES = ["figure_step", "figure_validation", "figure_perplexity", "figure_parameters", "figure_speed"];
const FORMS = ["gguf f16", "gguf q8_0", "safetensors f16"].map((form) => form.split(" ")); // kind and type

export class RunCard {
  /**
   * @param {import("../studio/place.js").Place} place
   * @param {string} name
   * @param {{ toggle: (name: string) => void, look: () => void }} list
   */
  constructor(place, name, list) {
    this.place = place;
    this.name = name;
    this.curveOf = "";
    this.isSeen = false;
    this.path = `runs/${encodeURIComponent(name)}`;
    this.box = make("input", { type: "checkbox", onchange: () => list.toggle(name) });
    this.box.ariaLabel = place.say("compare_run", { name });
    this.state = make("span", { className: "state" });
    this.line = svg("path", {});
    const viewBox = `-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`;
    const curve = svg("svg", { viewBox, "aria-hidden": "true", class: "spark" }, this.line);
    this.time = make("p", { className: "hint" });
    this.message = make("p", { className: "message", hidden: true });
    this.progress = make("progress", { max: 1, ariaLabel: place.say("progress") });
    this.figures = make("dl", { className: "figures" });
    this.files = make("ul", { className: "files" });
    const line = make("p", { className: "hint", hidden: true, role: "status" });
    const box = make("div", { className: "row", role: "group", ariaLabel: `${place.say("buttons")}: ${name}` });
    this.buttons = new RunButtons(place, {
      shown: SHOWN,
      box,
      line,
      own: {
        export: (onProgress) => this.export(onProgress),
        publish: () => location.assign(`publish?${new URLSearchParams({ run: name })}`),
      },
      done: () => list.look(),
    });
    const title = make("h3", {}, make("a", { href: `train?${new URLSearchParams({ run: name })}` }, name));
    this.element = make(
      "li",
      { className: "panel run-card" },
      make("div", { className: "run-title" }, make("label", { className: "tick" }, this.box), title, this.state),
      curve,
      this.time,
      this.message,
      this.progress,
      this.figures,
      box,
      line,
      this.files,
    );
    new IntersectionObserver(([{ isIntersecting }], observer) => {
      if (!isIntersecting) return;
      observer.disconnect();
      this.isSeen = true;
      this.askCurve();
      this.showFiles().catch(() => {}); // the list shows the error
    }).observe(this.element);
  }

  show(run) {
    const { place } = this;
    this.run = run;
    setText(this.state, place.say(`state_${run.state}`));
    this.state.dataset.tone = toneOf(run);
    const part = progress(run);
    this.progress.hidden = part === null || run.state === "finished";
    if (part !== null) this.progress.value = part;
    const done = part === null || run.state === "finished" ? [] : [percent(part, place.code)];
    const when = isBusy(run) ? [] : [moment(run.updated, place.code)];
    setText(this.time, [...done, timeSentence(run, place.language), ...when].join(" · "));
    setText(this.message, run.message);
    this.message.hidden = !run.message;
    const rows = figures(run, place.language).filter(([key]) => FIGURES.includes(key));
    showFigures(this.figures, rows, place);
    this.buttons.show({ ...run, can: [...run.can, ...(run.state === "finished" ? ["publish"] : [])] });
    this.askCurve();
  }

  /** Shows whether the run is compared, and its colour. */
  choose(isChosen, hue) {
    this.box.checked = isChosen;
    this.element.style.setProperty("--hue", isChosen ? hue : "var(--faint)");
    this.element.classList.toggle("chosen-run", isChosen);
  }

  async askCurve() {
    if (!this.isSeen || !this.run) return;
    const stamp = `${this.run.step} ${this.run.state}`;
    if (stamp === this.curveOf) return;
    this.curveOf = stamp;
    try {
      const { train, validation } = await get(`${this.path}/curve?points=${POINTS}`);
      this.line.setAttribute("d", sparkline(train.step.length > 1 ? train : validation, WIDTH, HEIGHT));
    } catch {
      this.curveOf = ""; // the list shows the error
    }
  }

  // Asks for a format, exports the file, and shows a link to it.
  async export(onProgress) {
    const { place } = this;
    const choices = FORMS.map(([kind, type], k) => {
      const radio = make("input", { type: "radio", name: "form", checked: k === 0 });
      return cardChoice(radio, place.say(`form_${kind}_${type}`), place.say(`form_${kind}_hint`));
    });
    const title = place.say("export_title", { name: this.name }),
      confirm = make("button", { className: "primary" }, place.say("do_export"));
    if (!(await ask(place, { title, confirm, leave: place.say("cancel") }, ...choices))) return;
    const [form, type] = FORMS[choices.findIndex(({ control }) => control.checked)];
    await follow((await post(`${this.path}/export`, { form, type })).task, onProgress);
    await this.showFiles();
  }

  async showFiles() {
    const { files } = await get(this.path);
    this.files.replaceChildren(
      ...files.map(({ name, bytes }) => {
        const href = `studio/${this.path}/files/${encodeURIComponent(name)}`;
        return make("li", {}, make("a", { href, download: name }, name), ` ${size(bytes, this.place.code)}`);
      }),
    );
  }
}
