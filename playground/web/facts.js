// What is known of the model, as a list of [name, value, meaning]; text nodes only, like the story.

const list = element.querySelector("dl");

function show() {
  list.replaceChildren(
    ...props.value.map(([name, value, meaning]) => {
      const row = document.createElement("div");
      for (const [tag, content] of [["dt", name], ["dd", value], ["dd", meaning]]) {
        if (content) row.appendChild(document.createElement(tag)).textContent = content;
      }
      return row;
    }),
  );
}

watch("value", show);
show();
