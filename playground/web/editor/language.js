// The page's texts in the reader's language.

export class Language {
  constructor(texts, wanted) {
    this.texts = texts;
    const first = (wanted ?? []).map((tag) => tag.slice(0, 2)).find((tag) => tag in texts);
    this.code = first ?? "en";
  }

  // The code of the language after this one.
  get next() {
    const codes = Object.keys(this.texts);
    return codes[(codes.indexOf(this.code) + 1) % codes.length];
  }

  // Shows on a button which language is the next.
  showNext(button) {
    button.textContent = this.texts[this.next].language;
    button.lang = this.next;
  }

  // The text of a key, with {name} replaced by values.name.
  say(key, values = {}) {
    const text = this.texts[this.code][key] ?? this.texts.en[key] ?? key;
    return text.replace(/\{(\w+)\}/g, (whole, name) => {
      const value = values[name];
      if (value === undefined) return whole;
      return typeof value === "number" ? value.toLocaleString(this.code) : value;
    });
  }

  // Sets the text, label and hint of every element below that names a key.
  apply(root) {
    root.lang = this.code;
    for (const node of root.querySelectorAll("[data-text], [data-label], [data-hint]")) {
      const { text, label, hint } = node.dataset;
      if (text) node.textContent = this.say(text);
      if (label) node.setAttribute("aria-label", this.say(label));
      if (hint) node.title = this.say(hint);
    }
  }
}
