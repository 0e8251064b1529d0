// Creates DOM elements.

/**
 * Returns a new element with properties (`className`, `textContent`, `onclick`, ...) or, if it has no such property,
 * attributes; null values are left out.
 * @param {string} tag
 * @param {Record<string, any>} [values]
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function make(tag, values = {}, ...children) {
  const node = /** @type {any} */ (document.createElement(tag));
  for (const [name, value] of Object.entries(values)) {
    if (value === null) continue;
    if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

/**
 * Returns a new SVG element with attributes.
 * @param {string} tag
 * @param {Record<string, any>} values
 * @param {...(Node | string)} children
 * @returns {any}
 */
export function svg(tag, values, ...children) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(values)) node.setAttribute(name, String(value));
  node.append(...children);
  return node;
}

/**
 * Returns a table's row: its name as a heading, and its cells, each a text or an element.
 * @param {string | Node} name
 * @param {...(Node | string)} cells
 */
export const row = (name, ...cells) =>
  make("tr", {}, make("th", { scope: "row" }, name), ...cells.map((cell) => make("td", {}, cell)));

/**
 * Returns a table's first row: the headings of its columns.
 * @param {...string} names
 */
export const headings = (...names) => make("tr", {}, ...names.map((name) => make("th", { scope: "col" }, name)));

/**
 * Returns an entry of a description list (<dl>): a name and what it is.
 * @param {string} name
 * @param {...string} meanings
 */
export const entry = (name, ...meanings) =>
  make("div", {}, make("dt", {}, name), ...meanings.map((meaning) => make("dd", {}, meaning)));

/**
 * Returns a field, such as a radio button, as a card with its name and a hint.
 * @param {Element} field
 * @param {string} name
 * @param {string} hint
 * @param {...Node} more
 */
export const cardChoice = (field, name, hint, ...more) =>
  make(
    "label",
    { className: "card-choice" },
    field,
    make("b", {}, name),
    make("span", { className: "hint" }, hint),
    ...more,
  );

/**
 * Sets an element's text only if it differs, so that screen readers and selections are not disturbed.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes nodes the only ones in an element, in their order. Those in the right place are not moved, and keep the focus.
 * @param {Element} parent
 * @param {Node[]} nodes
 */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const node of [...parent.childNodes]) if (!wanted.has(node)) node.remove();
  let at = parent.firstChild;
  for (const node of nodes) {
    if (node === at) at = at.nextSibling;
    else parent.insertBefore(node, at);
  }
}

/**
 * Sets an attribute; null removes it.
 * @param {Element} node
 * @param {string} name
 * @param {string | null} value
 */
export function setAttribute(node, name, value) {
  if (value === null) node.removeAttribute(name);
  else node.setAttribute(name, value);
}
