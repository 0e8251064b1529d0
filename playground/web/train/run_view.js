// The third step of Train: a run. Its state is polled from the server, so a reload and a second tab show the same.

import { CHART_CONTROLS, Chart } from "../studio/chart.js";
import { runAction } from "../studio/run_actions.js";
import { make, setText } from "../make.js";
import { buttons, figures, isBusy, progress, timeSentence, toneOf } from "../studio/run.js";
import { get, poll } from "../studio/server.js";
import { flat } from "../studio/settings.js";
import { percent } from "../studio/values.js";

const POLL = 1500; // ms
const SHOWN = ["write", "resume", "pause", "stop", "restart"];

export const RUN = `
<section class="panel run" aria-labelledby="run-name">
  <div class="run-head">
    <h2 id="run-name" data-part="name"></h2>
    <p class="state" data-part="state"></p>
    <div class="row" data-part="buttons" role="group" data-label="buttons"></div>
  </div>
  <p class="message" data-part="message" hidden></p>
  <progress data-part="progress" data-label="progress" max="1"></progress>
  <p class="row spread"><strong data-part="percent"></strong><span data-part="time"></span></p>
  <dl class="figures" data-part="figures"></dl>
  <p class="hint" data-part="task" hidden></p>
</section>
<div class="columns">
  <section class="panel" aria-labelledby="curve-title">
    <div class="row spread"><h2 id="curve-title" data-text="curve"></h2>${CHART_CONTROLS}</div>
    <div class="chart" data-part="chart"></div>
    <p class="hint" data-part="no-curve" data-text="no_curve" hidden></p>
  </section>
  <section class="panel" aria-labelledby="samples-title">
    <h2 id="samples-title" data-text="samples"></h2>
    <p class="hint" data-part="samples-hint"></p>
    <div data-part="samples" class="samples" lang="en"></div>
  </section>
</div>
<section class="panel folds">
  <details><summary data-text="run_settings"></summary><table class="settings"><tbody data-part="settings"></tbody></table></details>
  <details><summary data-text="command"></summary>
    <p class="hint" data-text="command_hint"></p><pre data-part="command" tabindex="0" data-label="command"></pre></details>
  <details open><summary data-text="log"></summary><pre data-part="log" tabindex="0" data-label="log"></pre></details>
</section>
<p class="row links"><a href="train" data-text="new_run"></a><a data-part="like" data-text="like_run"></a><a href="models" data-text="all_runs"></a></p>`;

export class RunView {
  /**
   * @param {import("../studio/place.js").Place} place
   * @param {string} name
   */
  constructor(place, name) {
    this.place = place;
    this.name = name;
    this.run = null;
    this.curveOf = "";
    this.busy = "";
    this.shown = "";
    this.path = `runs/${encodeURIComponent(name)}`;
    this.chart = new Chart(place, place.part("chart"));
    setText(place.part("name"), name);
    place.part("like").href = `train?${new URLSearchParams({ like: name })}`;
    document.title = `Inkling: ${name}`;
    for (const control of ["axis", "is-log"]) place.part(control).addEventListener("change", () => this.drawCurve());
    place.part("buttons").addEventListener("click", (event) => this.press(event.target.closest("button")));
    this.look = poll(() => this.ask(), POLL);
  }

  async ask() {
    try {
      this.show(await get(this.path));
      this.place.back();
      await this.askCurve();
    } catch (problem) {
      this.place.lose(problem);
    }
  }

  async press(button) {
    if (!button || this.busy) return;
    this.busy = button.dataset.do;
    this.showButtons();
    await this.place.attempt(async () => {
      await runAction(this.place, this.busy, this.run, (task) => this.showTask(task));
    });
    this.busy = "";
    this.showTask(null);
    this.look();
  }

  showTask(task) {
    const line = this.place.part("task");
    line.hidden = task === null || task.state !== "running";
    setText(line, task ? task.line || this.place.say(`doing_${task.kind}`) : "");
  }

  show(run) {
    const { place } = this,
      { code } = place;
    if (this.run && this.run.state !== run.state) place.tell(`${run.name}: ${place.say(`state_${run.state}`)}`);
    this.run = run;
    const state = place.part("state");
    setText(state, place.say(`state_${run.state}`));
    state.dataset.tone = toneOf(run.state);
    const message = place.part("message");
    setText(message, run.message);
    message.hidden = !run.message;
    const part = progress(run),
      bar = place.part("progress");
    if (part === null || (run.state === "preparing" && !run.step)) bar.removeAttribute("value");
    else bar.value = part;
    bar.hidden = part === null && !isBusy(run);
    setText(place.part("percent"), part === null ? "" : percent(part, code));
    setText(place.part("time"), timeSentence(run, place.language));
    if (!this.busy) this.showTask(run.task); // started in another tab or before a reload
    this.showButtons();
    showFigures(place.part("figures"), figures(run, place.language), place);
    this.showSamples(run);
    setText(place.part("command"), run.command);
    setText(place.part("log"), run.log.join("\n"));
    this.showSettings(run);
    document.title = `${part === null ? "" : `${percent(part, code)} · `}${run.name} · Inkling`;
  }

  // Unchanged buttons are kept, or each answer would take the focus away.
  showButtons() {
    const { place, run } = this,
      box = place.part("buttons");
    if (!run) return;
    const wanted = buttons(run, SHOWN);
    const shown = JSON.stringify(wanted);
    if (shown !== this.shown) {
      const focused = /** @type {HTMLElement} */ (document.activeElement)?.dataset?.do;
      box.replaceChildren(
        ...wanted.map(({ action, isPrimary }) =>
          make("button", {
            type: "button",
            className: isPrimary ? "primary" : "",
            textContent: place.say(action === "write" && isBusy(run) ? "do_write_now" : `do_${action}`),
            "data-do": action,
          }),
        ),
      );
      if (focused) box.querySelector(`[data-do="${focused}"]`)?.focus();
      this.shown = shown;
    }
    for (const button of box.children) button.disabled = Boolean(this.busy);
  }

  showSamples({ samples, samples_step, seconds }) {
    const { place } = this;
    const key = `${samples_step} ${samples.length}`;
    const hint = samples.length ? place.say("samples_hint", { n: samples_step }) : place.say("no_samples");
    setText(place.part("samples-hint"), hint);
    if (key === this.samplesOf || seconds === undefined) return;
    this.samplesOf = key;
    place.part("samples").replaceChildren(
      ...samples.map(({ prompt, story }) => {
        const rest = story.startsWith(prompt) ? story.slice(prompt.length) : story;
        return make("p", {}, make("b", { textContent: prompt }), rest);
      }),
    );
  }

  showSettings({ settings, given }) {
    const key = JSON.stringify(settings);
    if (key === this.settingsOf) return;
    this.settingsOf = key;
    this.place
      .part("settings")
      .replaceChildren(
        ...Object.entries(flat(settings)).map(([name, value]) =>
          make(
            "tr",
            { className: given.includes(name) ? "given" : "" },
            make("th", { scope: "row", textContent: name }),
            make("td", { textContent: value === "" ? "–" : String(value) }),
          ),
        ),
      );
  }

  async askCurve() {
    const { run } = this;
    const key = `${run.step} ${run.state} ${run.validation_loss}`;
    if (key === this.curveOf) return;
    this.curve = await get(`${this.path}/curve`);
    this.curveOf = key;
    this.drawCurve();
  }

  drawCurve() {
    const { place } = this;
    if (!this.curve) return;
    const isEmpty = !this.curve.train.step.length && !this.curve.validation.step.length;
    place.part("no-curve").hidden = !isEmpty;
    place.part("chart").hidden = isEmpty;
    const options = { axis: place.part("axis").value, isLog: place.part("is-log").checked };
    this.chart.show([{ name: this.name, ...this.curve }], options);
  }
}

/** Shows figures as pairs, reusing the elements of the same names. */
export function showFigures(list, rows, place) {
  const keys = rows.map(([key]) => key).join();
  if (list.dataset.keys !== keys) {
    list.replaceChildren(
      ...rows.map(([key]) =>
        make("div", { title: place.say(`${key}_hint`) }, make("dt", { textContent: place.say(key) }), make("dd")),
      ),
    );
    list.dataset.keys = keys;
  }
  for (const [k, [, text]] of rows.entries()) setText(list.children[k].lastChild, text);
}
