// How a model learned to write: the same opening with the same draws, after more and more reading.

export class View {
  /** @param {import("../views.js").Given} given */
  constructor(given) {
    this.given = given;
    this.slider = document.createElement("input");
    this.tokens = document.createElement("output");
    this.story = document.createElement("p");
    this.slider.type = "range";
    this.slider.min = this.slider.value = "0";
    this.slider.dataset.label = "learning";
    this.slider.addEventListener("input", () => this.changed());
    this.tokens.className = "hint";
    this.story.lang = "en";
  }

  show(element) {
    this.element = element;
    element.append(this.slider, this.tokens, this.story);
    this.changed();
  }

  changed() {
    const { language, model } = this.given;
    language.apply(this.element);
    this.slider.max = String(model.history.length - 1); // the value of another model's is kept within
    const [tokens, story] = model.history[this.slider.valueAsNumber];
    this.tokens.textContent = language.say("learning_after", { n: tokens });
    this.story.textContent = story;
  }

  hide() {}
}
