// The arrow keys in a list whose entries have a button `.go`: they move to the entry above or below.

export function moveInList(list, event) {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  const item = event.target.closest("li");
  if (!step || !item || event.target.tagName === "INPUT") return;
  const all = [...list.children];
  all[all.indexOf(item) + step]?.querySelector(".go").focus();
  event.preventDefault();
}
