// A field in place of a button that shows a name, until Enter, Escape or a click elsewhere.

// `keep` is called with another name; `label` says to a screen reader what is named.
export function askName(button, { name, label, keep }) {
  const field = document.createElement("input");
  field.value = name;
  field.maxLength = 60;
  field.setAttribute("aria-label", label);
  let done = false; // leaving the field takes its focus away, which ends it too
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
      event.preventDefault(); // the button, which has the focus then, is not pressed
      end(event.key === "Enter");
    }
  });
  field.addEventListener("blur", () => end(true));
  button.replaceWith(field);
  field.select();
}
