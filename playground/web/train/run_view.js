// The third step of Train: a run. Its state is polled from the server, so a reload and a second tab show the same.

import { CHART_CONTROLS, Chart } from "../studio/chart.js";
import { RunButtons } from "../studio/run_actions.js";
import { entry, make, row, setText } from "../make.js";
import { figures, isBusy, progress, timeSentence, toneOf } from "../studio/run.js";
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
    this.path = `runs/${encodeURIComponent(name)}`;
    this.chart = new Chart(place, place.part("chart"));
    setText(place.part("name"), name);
    place.part("like").href = `train?${new URLSearchParams({ like: name })}`;
    document.title = `Inkling: ${name}`;
    this.buttons = new RunButtons(place, {
      shown: SHOWN,
      box: place.part("buttons"),
      line: place.part("task"),
      key: (action, run) => (action === "write" && isBusy(run) ? "do_write_now" : `do_${action}`),
      done: () => look(),
    });
    const look = poll(() => this.ask(), POLL);
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

  show(run) {
    const { place } = this,
      { code } = place;
    if (this.run && this.run.state !== run.state) place.tell(`${run.name}: ${place.say(`state_${run.state}`)}`);
    this.run = run;
    const state = place.part("state");
    setText(state, place.say(`state_${run.state}`));
    state.dataset.tone = toneOf(run);
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
    if (!this.buttons.busy) this.buttons.showTask(run.task); // started in another tab or before a reload
    this.buttons.show(run);
    showFigures(place.part("figures"), figures(run, place.language), place);
    this.showSamples(run);
    setText(place.part("command"), run.command);
    setText(place.part("log"), run.log.join("\n"));
    this.showSettings(run);
    document.title = `${part === null ? "" : `${percent(part, code)} · `}${run.name} · Inkling`;
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
        return make("p", {}, make("b", {}, prompt), rest);
      }),
    );
  }

  showSettings({ settings, given }) {
    const key = JSON.stringify(settings);
    if (key === this.settingsOf) return;
    this.settingsOf = key;
    this.place.part("settings").replaceChildren(
      ...Object.entries(flat(settings)).map(([name, value]) => {
        const setting = row(name, value === "" ? "–" : String(value));
        setting.classList.toggle("given", given.includes(name));
        return setting;
      }),
    );
  }

  async askCurve() {
    const { place, run } = this;
    const key = `${run.step} ${run.state} ${run.validation_loss}`;
    if (key === this.curveOf) return;
    const curve = await get(`${this.path}/curve`);
    this.curveOf = key;
    const isEmpty = !curve.train.step.length && !curve.validation.step.length;
    place.part("no-curve").hidden = !isEmpty;
    place.part("chart").hidden = isEmpty;
    this.chart.show([{ name: this.name, ...curve }]);
  }
}

/** Shows figures as pairs, reusing the elements of the same names. */
export function showFigures(list, rows, place) {
  const keys = rows.map(([key]) => key).join();
  if (list.dataset.keys !== keys) {
    list.replaceChildren(
      ...rows.map(([key]) => Object.assign(entry(place.say(key), ""), { title: place.say(`${key}_hint`) })),
    );
    list.dataset.keys = keys;
  }
  for (const [k, [, text]] of rows.entries()) setText(list.children[k].lastChild, text);
}
