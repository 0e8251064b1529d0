// Reading aloud: the button, and the word that is being said. It stops when the text is another one.

import { canSpeak, hush, speak, whenVoicesCome } from "./speech.js";

export class Reading {
  // `writer`: the component, with part(name), sheet, tokens, language, and `writing` while its story grows.
  constructor(writer) {
    this.writer = writer;
    this.text = null; // what is being read
    whenVoicesCome(() => this.show());
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
    const { sheet } = this.writer;
    const turn = (this.turn = {}); // what the one before still says is not heard
    this.text = sheet.text;
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
    this.writer.sheet.mark(null);
    this.show();
  }

  show() {
    if (this.isOn && (this.writer.writing || this.writer.sheet.text !== this.text)) this.stop();
    const button = this.writer.part("read");
    button.hidden = !canSpeak();
    button.disabled = !this.writer.tokens.length || Boolean(this.writer.writing);
    button.textContent = this.writer.language.say(this.isOn ? "read_stop" : "read");
  }
}
