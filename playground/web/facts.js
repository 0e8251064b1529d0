// What is known of a model: a row of name, value and what it means.

export function showFacts(list, model) {
  const rows = model.facts.map(([name, value, meaning]) => {
    const row = document.createElement("div");
    for (const [tag, content] of [["dt", name], ["dd", value], ["dd", meaning]]) {
      if (content) row.appendChild(document.createElement(tag)).textContent = content;
    }
    return row;
  });
  list.replaceChildren(...rows);
}
