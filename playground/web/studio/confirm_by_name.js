// A dialog before an action that cannot be undone: the name must be typed.

import { make } from "../make.js";

/**
 * Asks for the name of the deleted item. Resolves to whether it was typed and confirmed.
 * @param {import("./place.js").Place} place
 * @param {{ title: string, hint: string, name: string, act: string }} question
 * @returns {Promise<boolean>}
 */
export function confirmByName(place, { title, hint, name, act }) {
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
