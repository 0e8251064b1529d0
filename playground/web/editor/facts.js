// What is known of a model: what kind it is for a child, and a row of name, value and meaning
// for each fact.

export function showFacts(writer) {
  const { model, language } = writer;
  const rows = model.facts.map(([name, value, meaning]) => {
    const row = document.createElement("div");
    for (const [tag, content] of [
      ["dt", name],
      ["dd", value],
      ["dd", meaning],
    ]) {
      if (content) row.appendChild(document.createElement(tag)).textContent = content;
    }
    return row;
  });
  writer.part("facts").replaceChildren(...rows);
  const count = model.stories?.toLocaleString(language.code);
  writer.part("kind").textContent = language.say(count ? "kind_of_stories" : "kind_other", { n: count });
}
