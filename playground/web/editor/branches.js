// The tree of branches, as a list to move in, and some of them side by side.

import { moveInList } from "./list_keys.js";
import { askName } from "./name_field.js";
import { current, shared, textOf } from "../story/tree.js";

const WORDS_SHOWN = 6; // of a branch without a name
const TAIL = 70; // letters of what branches share that are shown beside them

// What a branch is called: its name, or the first words in which it differs from its parent.
export function nameOf(doc, branch, language) {
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

// The branches in reading order, each with how deep it lies.
export function ordered(doc) {
  const children = new Map();
  for (const branch of Object.values(doc.branches)) {
    const parent = branch.parent in doc.branches ? branch.parent : null;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(branch);
  }
  const found = [],
    waiting = (children.get(null) ?? []).map((branch) => [branch, 0]).reverse();
  while (waiting.length) {
    const [branch, depth] = waiting.pop();
    found.push([branch, depth]);
    for (const child of (children.get(branch.id) ?? []).reverse()) waiting.push([child, depth + 1]);
  }
  return found;
}

export class Branches {
  // `events`: { select(id), rename(id, name), prune(id) }.
  constructor(list, events) {
    this.list = list;
    this.events = events;
    this.items = new Map();
    list.addEventListener("click", (event) => this.click(event));
    list.addEventListener("keydown", (event) => moveInList(this.list, event));
  }

  click(event) {
    const item = event.target.closest("li");
    if (!item) return;
    const id = Number(item.dataset.id);
    if (event.target.closest(".go")) this.events.select(id);
    else if (event.target.closest(".prune")) this.events.prune(id);
    else if (event.target.closest(".rename")) this.ask(item, id);
  }

  ask(item, id) {
    const go = item.querySelector(".go");
    const keep = (name) => this.events.rename(id, name);
    askName(go, { name: go.textContent, label: this.language.say("branch_name"), keep });
  }

  show(doc, language) {
    this.language = language;
    const kept = new Map();
    let at = this.list.firstChild;
    for (const [branch, depth] of ordered(doc)) {
      const known = this.items.get(branch.id);
      const item = known?.item ?? this.newItem(branch.id);
      kept.set(branch.id, { item, branch });
      if (item === at) at = at.nextSibling;
      else this.list.insertBefore(item, at);
      const go = item.querySelector(".go");
      if (go && known?.branch !== branch) go.textContent = nameOf(doc, branch, language);
      item.style.setProperty("--depth", Math.min(depth, 8));
      if (branch.id === doc.current) go?.setAttribute("aria-current", "true");
      else go?.removeAttribute("aria-current");
      item.querySelector(".rename").setAttribute("aria-label", language.say("rename"));
      item.querySelector(".prune").setAttribute("aria-label", language.say("prune"));
    }
    for (const [id, { item }] of this.items) if (!kept.has(id)) item.remove();
    this.items = kept;
  }

  newItem(id) {
    const item = document.createElement("li");
    item.dataset.id = id;
    for (const [name, text] of [
      ["go", ""],
      ["rename", "✎"],
      ["prune", "✕"],
    ]) {
      const button = document.createElement("button");
      button.type = "button";
      button.className = name;
      button.textContent = text;
      item.append(button);
    }
    return item;
  }
}

// Branches side by side: the end of what they share, dimmed, and what each has by itself.
export function showSideBySide(list, doc, ids, language, choose) {
  const all = ids.map((id) => doc.branches[id].tokens);
  const common = Math.min(...all.slice(1).map((tokens) => shared(all[0], tokens)), all[0].length);
  const tail = textOf(all[0].slice(0, common)).slice(-TAIL);
  const items = ids.map((id, k) => {
    const item = document.createElement("li");
    const text = document.createElement("p");
    const dim = document.createElement("span");
    dim.className = "shared";
    dim.textContent = tail;
    text.append(dim, textOf(all[k].slice(common)));
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = language.say("choose");
    button.setAttribute("aria-label", `${language.say("choose")}: ${k + 1}`);
    button.addEventListener("click", () => choose(id));
    item.append(text, button);
    if (id === current(doc).id) item.className = "current";
    return item;
  });
  list.replaceChildren(...items);
}
