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
 * Sets an element's text only if it differs, so that screen readers and selections are not disturbed.
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
