// The page of the story. Runs once in its gr.HTML component, which gives `element`, `props` and `watch`.
// The template is constant and every text goes in as a text node, so a story that holds ${...}, {{...}},
// markup or a script shows its letters and does nothing else.

const part = (name) => element.querySelector(`.${name}`);
const sheet = part("sheet"), text = part("text"), end = part("end");
const room = element.closest(".gradio-container");
const button = (id) => room.querySelector(`#${id}`);

// Appends what is new and leaves the rest alone: a reader's selection and a screen reader's place survive.
function put(node, words) {
  const shown = node.textContent;
  if (shown && words.startsWith(shown)) {
    if (words.length > shown.length) node.firstChild.appendData(words.slice(shown.length));
  } else if (shown !== words) {
    node.textContent = words;
  }
}

const inSight = (node) => {
  const { bottom } = node.getBoundingClientRect();
  return bottom > 0 && bottom <= window.innerHeight;
};

let wasWriting = false;

function show() {
  const { prompt, words, note, writing } = props.value;
  const begins = writing && !wasWriting;
  const follow = writing && inSight(end);
  put(part("prompt"), prompt);
  put(part("words"), words);
  put(part("note"), note);
  const told = Boolean(prompt || words);
  sheet.dataset.told = told;
  text.setAttribute("aria-busy", writing); // a screen reader waits, then reads what has been added
  if (begins || follow) end.scrollIntoView({ block: "nearest" });
  if (writing !== wasWriting) {
    const held = document.activeElement;
    room.dataset.writing = writing;
    if (writing && held === button("generate")) button("stop").focus();
    if (!writing && held === button("stop")) button("generate").focus();
  }
  room.dataset.told = told;
  wasWriting = writing;
}

watch("value", show);
show();

document.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey) && !wasWriting) {
    event.preventDefault();
    button("generate").click();
  } else if (event.key === "Escape" && wasWriting) {
    button("stop").click();
  }
});
