// A run in the list of Models: its state and figures, a small curve, and its buttons.

import { sparkline } from "../studio/curve.js";
import { runAction } from "../studio/run_actions.js";
import { make, setText } from "../make.js";
import { figures, isBusy, progress, timeSentence, toneOf, buttons } from "../studio/run.js";
import { follow, get, post } from "../studio/server.js";
import { moment, percent, size } from "../studio/values.js";
import { showFigures } from "../train/run_view.js";

const WIDTH = 160,
  HEIGHT = 44; // of the small curve, px
const POINTS = 60;
const SHOWN = ["write", "resume", "pause", "stop", "evaluate", "export", "publish", "delete"];
const FIGURES = ["figure_step", "figure_validation", "figure_perplexity", "figure_parameters", "figure_speed"];
const FORMS = [
  ["gguf", "f16"],
  ["gguf", "q8_0"],
  ["safetensors", "f16"],
];
const SVG = "http://www.w3.org/2000/svg";

export class RunCard {
  /**
   * @param {import("../studio/place.js").Place} place
   * @param {string} name
   * @param {{ toggle: (name: string) => void, look: () => void }} list
   */
  constructor(place, name, list) {
    this.place = place;
    this.name = name;
    this.list = list;
    this.busy = "";
    this.shown = "";
    this.curveOf = "";
    this.isSeen = false;
    this.path = `runs/${encodeURIComponent(name)}`;
    this.box = make("input", { type: "checkbox", onchange: () => list.toggle(name) });
    this.box.ariaLabel = place.say("compare_run", { name });
    this.state = make("span", { className: "state" });
    this.line = document.createElementNS(SVG, "path");
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `-2 -2 ${WIDTH + 4} ${HEIGHT + 4}`);
    svg.setAttribute("aria-hidden", "true");
    svg.classList.add("spark");
    svg.append(this.line);
    this.time = make("p", { className: "hint" });
    this.message = make("p", { className: "message", hidden: true });
    this.progress = make("progress", { max: 1, ariaLabel: place.say("progress") });
    this.figures = make("dl", { className: "figures" });
    this.task = make("p", { className: "hint", hidden: true, role: "status" });
    this.buttons = make("div", { className: "row", role: "group", ariaLabel: `${place.say("buttons")}: ${name}` });
    this.files = make("ul", { className: "files" });
    this.buttons.addEventListener("click", (event) => this.press(event.target.closest("button")));
    const title = make("h3", {}, make("a", { href: `train?${new URLSearchParams({ run: name })}`, textContent: name }));
    this.element = make(
      "li",
      { className: "panel run-card" },
      make("div", { className: "run-title" }, make("label", { className: "tick" }, this.box), title, this.state),
      svg,
      this.time,
      this.message,
      this.progress,
      this.figures,
      this.buttons,
      this.task,
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
    this.state.dataset.tone = toneOf(run.state);
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
    this.showButtons();
    this.askCurve();
  }

  showButtons() {
    const { place, run } = this;
    const wanted = buttons({ can: [...run.can, ...(run.state === "finished" ? ["publish"] : [])] }, SHOWN);
    const shown = JSON.stringify(wanted);
    if (shown !== this.shown) {
      this.shown = shown;
      const focused = this.buttons.contains(document.activeElement)
        ? /** @type {any} */ (document.activeElement).dataset.do
        : "";
      this.buttons.replaceChildren(
        ...wanted.map(({ action, isPrimary }) =>
          make("button", {
            type: "button",
            className: isPrimary ? "primary" : "",
            textContent: place.say(`do_${action}`),
            "data-do": action,
          }),
        ),
      );
      if (focused) this.buttons.querySelector(`[data-do="${focused}"]`)?.focus();
    }
    for (const button of this.buttons.children) button.disabled = Boolean(this.busy);
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

  async press(button) {
    if (!button || this.busy) return;
    const { place } = this,
      action = button.dataset.do;
    if (action === "publish") {
      location.assign(`publish?${new URLSearchParams({ run: this.name })}`);
      return;
    }
    this.busy = action;
    this.showButtons();
    await place.attempt(async () => {
      if (action === "export") await this.export();
      else await runAction(place, action, this.run, (task) => this.showTask(task));
    });
    this.busy = "";
    this.showTask(null);
    this.list.look();
  }

  showTask(task) {
    this.task.hidden = task === null || task.state !== "running";
    setText(this.task, task ? task.line || this.place.say(`doing_${task.kind}`) : "");
  }

  // Asks for a format, exports the file, and shows a link to it.
  async export() {
    const form = await this.askForm();
    if (!form) return;
    const [kind, type] = form;
    await follow((await post(`${this.path}/export`, { form: kind, type })).task, (task) => this.showTask(task));
    await this.showFiles();
  }

  askForm() {
    const { place } = this;
    return new Promise((resolve) => {
      const rows = FORMS.map(([kind, type]) => {
        const radio = make("input", {
          type: "radio",
          name: "form",
          value: `${kind} ${type}`,
          checked: kind === "gguf" && type === "f16",
        });
        return make(
          "label",
          { className: "card-choice" },
          radio,
          make("b", { textContent: place.say(`form_${kind}_${type}`) }),
          make("span", { className: "hint", textContent: place.say(`form_${kind}_hint`) }),
        );
      });
      const dialog = make(
        "dialog",
        { className: "ask", "aria-labelledby": "form-title" },
        make(
          "form",
          { method: "dialog" },
          make("h2", { id: "form-title", textContent: place.say("export_title", { name: this.name }) }),
          ...rows,
          make(
            "div",
            { className: "row" },
            make("button", { className: "primary", value: "yes", textContent: place.say("do_export") }),
            make("button", { type: "button", textContent: place.say("cancel"), onclick: () => dialog.close() }),
          ),
        ),
      );
      dialog.addEventListener("close", () => {
        const chosen = dialog.querySelector(":checked").value.split(" ");
        dialog.remove();
        resolve(dialog.returnValue === "yes" ? chosen : null);
      });
      place.root.append(dialog);
      dialog.showModal();
    });
  }

  async showFiles() {
    const { files } = await get(this.path);
    this.files.replaceChildren(
      ...files.map(({ name, bytes }) =>
        make(
          "li",
          {},
          make("a", {
            href: `studio/${this.path}/files/${encodeURIComponent(name)}`,
            download: name,
            textContent: name,
          }),
          ` ${size(bytes, this.place.code)}`,
        ),
      ),
    );
  }
}
