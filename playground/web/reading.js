// Reading aloud: the button, and the word that is being said.

import { canSpeak, hush, speak, whenVoicesCome } from "./speech.js";

export class Reading {
  // `writer`: the component, with part(name), sheet, tokens, language, and `writing` while its story grows.
  constructor(writer) {
    this.writer = writer;
    this.reading = false;
    whenVoicesCome(() => this.show());
  }

  read() {
    if (this.reading) {
      hush();
      return;
    }
    this.reading = true;
    this.show();
    speak(this.writer.sheet.text, "en", (offset) => this.writer.sheet.mark(offset), () => {
      this.reading = false;
      this.writer.sheet.mark(null);
      this.show();
    });
  }

  show() {
    const button = this.writer.part("read");
    button.hidden = !canSpeak();
    button.disabled = !this.writer.tokens.length || Boolean(this.writer.writing);
    button.textContent = this.writer.language.say(this.reading ? "read_stop" : "read");
  }
}
