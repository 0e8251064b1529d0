// A question that stands before what cannot be undone: the name is typed, and a button pressed.

import { make } from "../make.js";

/**
 * Asks for the name of what is lost. Resolves to whether it was typed.
 * @param {import("./place.js").Place} place
 * @param {{ title: string, hint: string, name: string, act: string }} question
 * @returns {Promise<boolean>}
 */
export function askForName(place, { title, hint, name, act }) {
  return new Promise((resolve) => {
    const field = make("input", { id: "ask-name", autocomplete: "off", spellcheck: false });
    const button = make("button", { className: "primary danger", textContent: act, disabled: true, value: "yes" });
    const keep = make("button", { type: "button", textContent: place.say("keep"), onclick: () => dialog.close() });
    field.addEventListener("input", () => (button.disabled = field.value.trim() !== name));
    const dialog = make(
      "dialog",
      { className: "ask", "aria-labelledby": "ask-title" },
      make(
        "form",
        { method: "dialog" },
        make("h2", { id: "ask-title", textContent: title }),
        make("p", { textContent: hint }),
        make("label", { htmlFor: "ask-name", textContent: place.say("type_name", { name }) }),
        field,
        make("div", { className: "row" }, button, keep),
      ),
    );
    dialog.addEventListener("close", () => {
      dialog.remove();
      resolve(dialog.returnValue === "yes");
    });
    place.root.append(dialog);
    dialog.showModal();
  });
}
