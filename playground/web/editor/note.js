// The status line below the story, which screen readers announce.

import { partWith } from "../part.js";

export class Note extends partWith("frame", "language") {
  // Shows a sentence without announcing it, since it changes often.
  show(sentence) {
    this.frame.part("note").textContent = sentence;
  }

  // Announces a sentence to screen readers.
  announce(sentence) {
    this.frame.part("live").textContent = sentence;
  }

  say(sentence) {
    this.show(sentence);
    this.announce(sentence);
  }

  // Shows and announces the text of a key.
  tell(key, values) {
    this.say(this.language.say(key, values));
  }

  // Removes a sentence if it is still shown.
  clear(sentence) {
    if (this.frame.part("note").textContent === sentence) this.say("");
  }

  // Shows that the page waits for a busy server; 0 seconds removes it.
  sayBusy(seconds) {
    if (seconds) this.say((this.busy = this.language.say("busy", { n: seconds })));
    else this.clear(this.busy);
  }

  // Returns the message for an error.
  why(problem) {
    if (problem.constructor.name === "Lost") return this.language.say("lost");
    return this.language.say("nothing", { why: problem.message });
  }
}
