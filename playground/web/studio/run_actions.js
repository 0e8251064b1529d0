// The buttons of a run and their actions, on Train and on Models.

import { make, setText } from "../make.js";
import { confirmByName } from "./dialog.js";
import { buttons } from "./run.js";
import { follow, post } from "./server.js";

export const writeAddress = (model) => `./?${new URLSearchParams({ model })}`;

/**
 * Carries out the action of a run's button. Resolves when the app has answered; rejects with its error.
 * @param {import("./place.js").Place} place
 * @param {string} action
 * @param {any} run
 * @param {(task: any) => void} onProgress called with each state of a task
 */
async function runAction(place, action, run, onProgress) {
  const { name } = run,
    path = `runs/${encodeURIComponent(name)}`;
  if (action === "write") {
    const result = await follow((await post(`${path}/write`)).task, onProgress);
    if (result) location.assign(writeAddress(result.model));
  } else if (action === "evaluate") await follow((await post(`${path}/evaluate`)).task, onProgress);
  else if (action === "restart" || action === "delete") {
    const question = { title: place.say(`${action}_title`, { name }), hint: place.say(`${action}_hint`), name };
    if (await confirmByName(place, { ...question, act: place.say(`do_${action}`) }))
      await post(`${path}/${action}`, { name });
  } else await post(`${path}/${action}`);
}

export class RunButtons {
  /**
   * @param {import("./place.js").Place} place
   * @param {object} given
   * @param {string[]} given.shown actions that have a button, as far as they are possible
   * @param {HTMLElement} given.box of the buttons
   * @param {HTMLElement} given.line about the task that an action has started
   * @param {(action: string, run: any) => string} [given.key] of a button's text
   * @param {Record<string, (onProgress: (task: any) => void) => any>} [given.own] actions that only this page has
   * @param {() => void} given.done called after an action
   */
  constructor(place, { shown, box, line, key = (action) => `do_${action}`, own = {}, done }) {
    this.place = place;
    this.shown = shown;
    this.box = box;
    this.line = line;
    this.key = key;
    this.own = own;
    this.done = done;
    this.busy = ""; // the action that is carried out
    this.drawn = "";
    box.addEventListener("click", ({ target }) => this.press(/** @type {any} */ (target).closest("button")));
  }

  // Unchanged buttons are kept, or each answer would take the focus away.
  show(run) {
    const { place, box } = this;
    this.run = run;
    const wanted = buttons(run, this.shown).map((button) => ({ ...button, key: this.key(button.action, run) }));
    const drawn = JSON.stringify(wanted);
    if (drawn !== this.drawn) {
      const { activeElement } = document;
      const focused = box.contains(activeElement) ? /** @type {HTMLElement} */ (activeElement).dataset.do : "";
      box.replaceChildren(
        ...wanted.map(({ action, isPrimary, key }) => {
          const values = { type: "button", className: isPrimary ? "primary" : "", "data-do": action };
          return make("button", values, place.say(key));
        }),
      );
      /** @type {HTMLElement} */ (box.querySelector(`[data-do="${focused}"]`))?.focus();
      this.drawn = drawn;
    }
    this.enable();
  }

  enable() {
    for (const button of this.box.querySelectorAll("button")) button.disabled = Boolean(this.busy);
  }

  async press(button) {
    if (!button || this.busy) return;
    const action = button.dataset.do,
      onProgress = (task) => this.showTask(task);
    this.busy = action;
    this.enable();
    await this.place.attempt(() =>
      this.own[action] ? this.own[action](onProgress) : runAction(this.place, action, this.run, onProgress),
    );
    this.busy = "";
    this.showTask(null);
    this.done();
  }

  showTask(task) {
    this.line.hidden = task === null || task.state !== "running";
    setText(this.line, task ? task.line || this.place.say(`doing_${task.kind}`) : "");
  }
}
