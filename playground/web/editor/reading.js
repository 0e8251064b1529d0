// Reading aloud: the button, and the word that is being said. It stops when the text is another one.

import { partWith } from "../part.js";
import { canSpeak, hush, speak, whenVoicesCome } from "./speech.js";

export class Reading extends partWith("frame", "state", "sheet", "language") {
  constructor(page) {
    super(page);
    this.text = null; // what is being read
    whenVoicesCome(() => this.show());
    this.state.on(["doc", "writing", "language"], () => this.show());
    addEventListener("pagehide", () => this.stop()); // a browser reads on when its page is gone
  }

  get isOn() {
    return this.text !== null;
  }

  read() {
    if (this.isOn) {
      this.stop();
      return;
    }
    const { sheet, state } = this;
    const turn = (this.turn = {}); // what the one before still says is not heard
    this.text = state.text;
    this.show();
    speak(
      this.text,
      "en",
      (offset) => this.turn === turn && sheet.mark(offset),
      () => this.turn === turn && this.stop(),
    );
  }

  stop() {
    if (!this.isOn) return;
    this.text = this.turn = null;
    hush();
    this.sheet.mark(null);
    this.show();
  }

  show() {
    const { writing } = this.state.now,
      button = this.frame.part("read");
    if (this.isOn && (writing || this.state.text !== this.text)) this.stop();
    button.hidden = !canSpeak();
    button.disabled = !this.state.tokens.length || Boolean(writing);
    button.textContent = this.language.say(this.isOn ? "read_stop" : "read");
  }
}
