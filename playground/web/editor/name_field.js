// Replaces a button that shows a name by a field, until Enter, Escape or a click elsewhere.

import { make } from "../make.js";

// `keep`: called with a new name; `label`: of the field, for screen readers.
export function askName(button, { name, label, keep }) {
  const field = make("input", { value: name, maxLength: 60, "aria-label": label });
  let done = false; // replacing the field removes its focus, which calls `end` again
  const end = (isKept) => {
    if (done) return;
    done = true;
    field.replaceWith(button);
    if (isKept && field.value.trim() !== name) keep(field.value.trim());
    button.focus();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === "Escape") {
      event.stopPropagation();
      event.preventDefault(); // the key must not press the button, which then has the focus
      end(event.key === "Enter");
    }
  });
  field.addEventListener("blur", () => end(true));
  button.replaceWith(field);
  field.select();
}
