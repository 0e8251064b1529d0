// Reading aloud: the button, and the mark of the spoken word. Reading stops when the text changes.

import { partWith } from "../part.js";
import { canSpeak, hush, speak, whenVoicesCome } from "./speech.js";

export class Reading extends partWith("frame", "state", "editor", "language") {
  constructor(page) {
    super(page);
    this.text = null; // being read
    whenVoicesCome(() => this.show());
    this.state.on(["doc", "writing", "language"], () => this.show());
    addEventListener("pagehide", () => this.stop()); // browsers continue speaking after the page closes
  }

  get isOn() {
    return this.text !== null;
  }

  read() {
    if (this.isOn) {
      this.stop();
      return;
    }
    const { editor, state } = this;
    const turn = (this.turn = {}); // late events of an earlier reading are ignored
    this.text = state.text;
    this.show();
    speak(
      this.text,
      "en",
      (offset) => this.turn === turn && editor.mark(offset),
      () => this.turn === turn && this.stop(),
    );
  }

  stop() {
    if (!this.isOn) return;
    this.text = this.turn = null;
    hush();
    this.editor.mark(null);
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
