// The tree of branches as a list with keyboard navigation, and branches side by side.

import { arrange, make, setAttribute } from "../make.js";
import { partWith } from "../part.js";
import { current, pruned, renamed, selected, shared, textOf } from "../story/tree.js";
import { moveInList } from "./list_keys.js";
import { askName } from "./name_field.js";

const WORDS_SHOWN = 6; // of a branch without a name
const TAIL = 120; // characters of the common beginning that are shown above branches
const WORD_MAX = 30; // characters
const IN_WORD = /^[\p{L}\p{N}\p{M}’'-]{2}$/u;

// Returns a branch's name, or the first words in which it differs from its parent.
function nameOf(doc, branch, language) {
  if (branch.name) return branch.name;
  const parent = doc.branches[branch.parent];
  const own = branch.tokens.slice(parent ? shared(parent.tokens, branch.tokens) : 0);
  const text = textOf((own.length ? own : branch.tokens).slice(0, 24))
    .trim()
    .replace(/\s+/g, " ");
  if (!text) return language.say("untitled");
  const words = text.split(" ");
  return words.length > WORDS_SHOWN ? `${words.slice(0, WORDS_SHOWN).join(" ")}…` : text;
}

// Returns [branch, depth] of the branches in reading order.
export function ordered(doc) {
  const children = new Map();
  for (const branch of Object.values(doc.branches)) {
    const parent = branch.parent in doc.branches ? branch.parent : null;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(branch);
  }
  const result = [],
    waiting = (children.get(null) ?? []).map((branch) => [branch, 0]).reverse();
  while (waiting.length) {
    const [branch, depth] = waiting.pop();
    result.push([branch, depth]);
    for (const child of (children.get(branch.id) ?? []).reverse()) waiting.push([child, depth + 1]);
  }
  return result;
}

export class Branches extends partWith("frame", "state", "language", "edits") {
  constructor(page) {
    super(page);
    this.list = this.frame.part("branches");
    this.items = new Map();
    this.list.addEventListener("click", (event) => this.click(event));
    this.list.addEventListener("keydown", (event) => moveInList(this.list, event));
    this.state.on(["doc", "writing"], () => this.state.now.writing || this.show());
    this.state.on(["language"], () => this.showWords());
  }

  click(event) {
    const item = event.target.closest("li");
    if (!item) return;
    const id = Number(item.dataset.id);
    if (event.target.closest(".go")) this.edits.change((doc) => selected(doc, id));
    else if (event.target.closest(".prune")) this.edits.change((doc) => pruned(doc, id));
    else if (event.target.closest(".rename")) {
      const go = item.querySelector(".go");
      const keep = (name) => this.edits.change((doc) => renamed(doc, id, name));
      askName(go, { name: go.textContent, label: this.language.say("branch_name"), keep });
    }
  }

  // Rebuilds the list: the name of an untitled branch depends on the language.
  showWords() {
    this.items.clear();
    this.list.replaceChildren();
    this.show();
  }

  show() {
    const { frame, language } = this,
      { doc } = this.state.now;
    const kept = new Map();
    for (const [branch, depth] of ordered(doc)) {
      const known = this.items.get(branch.id);
      const item = known?.item ?? this.newItem(branch.id);
      kept.set(branch.id, { item, branch });
      const go = item.querySelector(".go");
      if (go && known?.branch !== branch) go.textContent = nameOf(doc, branch, language);
      item.style.setProperty("--depth", Math.min(depth, 8));
      if (go) setAttribute(go, "aria-current", branch.id === doc.current ? "true" : null);
      item.querySelector(".rename").setAttribute("aria-label", language.say("rename"));
      item.querySelector(".prune").setAttribute("aria-label", language.say("prune"));
    }
    const items = Array.from(kept.values(), ({ item }) => item);
    arrange(this.list, items);
    this.items = kept;
    frame.part("branches-count").textContent = kept.size > 1 ? kept.size.toLocaleString(language.code) : "";
    frame.part("compare").disabled = kept.size < 2;
  }

  newItem(id) {
    const button = (className, text) => make("button", { type: "button", className }, text);
    return make("li", { "data-id": id }, button("go", ""), button("rename", "✎"), button("prune", "✕"));
  }
}

// Returns the length of the texts' common beginning, in whole words. In scripts without spaces, whose "words" are long,
// it may end inside one.
function commonLength(texts) {
  let same = 0;
  while (same < texts[0].length && texts.every((text) => text[same] === texts[0][same])) same += 1;
  const isInside = texts.some((text) => IN_WORD.test(text.slice(Math.max(same - 1, 0), same + 1)));
  if (!isInside) return same;
  const word = texts[0].slice(0, same).search(/\S+$/u);
  return word >= 0 && same - word <= WORD_MAX ? word : same;
}

// Returns branches side by side: `shared`, the end of their common beginning, and `items` with the differing rest.
export function sideBySide(doc, ids, language, choose) {
  const texts = ids.map((id) => textOf(doc.branches[id].tokens));
  const at = texts.length > 1 ? commonLength(texts) : 0;
  const tail = texts[0].slice(0, at);
  const items = ids.map((id, k) => {
    const text = make("p", { "data-ends": String(Boolean(doc.branches[id].ended)) }, texts[k].slice(at).trimStart());
    const label = `${language.say("choose")}: ${k + 1}`;
    const button = make("button", { type: "button", "aria-label": label }, language.say("choose"));
    button.addEventListener("click", () => choose(id));
    return make("li", { className: id === current(doc).id ? "current" : null }, text, button);
  });
  return { items, shared: tail.length > TAIL ? `…${tail.slice(-TAIL).replace(/^\S*/u, "")}` : tail };
}
