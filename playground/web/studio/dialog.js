// Dialogs: a question with an answer and a button that leaves it.

import { make } from "../make.js";

/**
 * Shows a dialog. Resolves to whether it was confirmed.
 * @param {import("./place.js").Place} place
 * @param {{ title: string, confirm: HTMLButtonElement, leave: string }} frame `leave`: text of the other button
 * @param {...Node} content
 * @returns {Promise<boolean>}
 */
export function ask(place, { title, confirm, leave }, ...content) {
  return new Promise((resolve) => {
    confirm.value = "yes";
    const heading = make("h2", { id: "ask-title" }, title);
    const cancel = make("button", { type: "button", onclick: () => dialog.close() }, leave);
    const row = make("div", { className: "row" }, confirm, cancel);
    const form = make("form", { method: "dialog" }, heading, ...content, row);
    const dialog = make("dialog", { className: "ask", "aria-labelledby": heading.id }, form);
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    place.root.append(dialog);
    dialog.showModal();
  });
}

/**
 * Asks for the name of the deleted item, before an action that cannot be undone. Resolves to whether it was typed and
 * confirmed.
 * @param {import("./place.js").Place} place
 * @param {{ title: string, hint: string, name: string, act: string }} question
 */
export function confirmByName(place, { title, hint, name, act }) {
  const field = make("input", { id: "ask-name", autocomplete: "off", spellcheck: false });
  const confirm = make("button", { className: "primary danger", disabled: true }, act);
  field.addEventListener("input", () => (confirm.disabled = field.value.trim() !== name));
  const label = make("label", { htmlFor: field.id }, place.say("type_name", { name }));
  return ask(place, { title, confirm, leave: place.say("keep") }, make("p", {}, hint), label, field);
}
