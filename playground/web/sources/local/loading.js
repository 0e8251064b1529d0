// The progress bar of the model's download, with a message and a button if it fails.

import { make } from "../../make.js";

const MB = 1e6;

export class LoadingBar {
  // `language`: the page's texts; `again`: called to retry.
  constructor(parent, bytes, language, again) {
    this.bytes = bytes;
    this.language = language;
    this.announced = 0; // time in ms
    this.bar = make("progress", { "aria-labelledby": "loading-note", max: bytes });
    this.note = make("p", { id: "loading-note", role: "status" });
    this.button = make("button", { type: "button", hidden: true });
    this.element = make("div", { className: "loading" }, this.bar, this.note, this.button);
    this.button.addEventListener("click", () => {
      this.button.hidden = true;
      this.show(0);
      again();
    });
    parent.prepend(this.element);
    this.show(0);
  }

  show(progress) {
    this.bar.hidden = false;
    this.bar.value = progress;
    const values = { done: (progress / MB).toFixed(1), all: (this.bytes / MB).toFixed(1) };
    const text = this.language.say("model_loading", values);
    if (progress === 0 || progress === this.bytes || performance.now() - this.announced > 1000) {
      this.note.textContent = text; // a screen reader must not read every packet
      this.announced = performance.now();
    }
  }

  // Shows a message of the worker about loading.
  hear({ progress, ready, failed }) {
    if (progress !== undefined) this.show(progress);
    if (failed) {
      this.bar.hidden = true;
      this.button.textContent = this.language.say("model_again");
      this.button.hidden = failed === "simd"; // the same browser fails again
      this.note.textContent = this.language.say(`model_${failed}`);
    }
    if (ready) this.element.remove();
  }
}
