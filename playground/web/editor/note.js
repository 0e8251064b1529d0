// The sentence below the story, which a screen reader reads too.

import { partWith } from "../part.js";

export class Note extends partWith("frame", "language") {
  // Shows a sentence that changes so often that it is not read aloud.
  show(sentence) {
    this.frame.part("note").textContent = sentence;
  }

  // Has a screen reader read a sentence.
  announce(sentence) {
    this.frame.part("live").textContent = sentence;
  }

  say(sentence) {
    this.show(sentence);
    this.announce(sentence);
  }

  // Says the text of a key.
  tell(key, values) {
    this.say(this.language.say(key, values));
  }

  // Takes a sentence away, if it is still there.
  clear(sentence) {
    if (this.frame.part("note").textContent === sentence) this.say("");
  }

  // Says that a busy server is waited for; 0 seconds when it has answered.
  sayBusy(seconds) {
    if (seconds) this.say((this.busy = this.language.say("busy", { n: seconds })));
    else this.clear(this.busy);
  }

  // What went wrong, in words of the page.
  why(problem) {
    if (problem.constructor.name === "Lost") return this.language.say("lost");
    return this.language.say("nothing", { why: problem.message });
  }
}
