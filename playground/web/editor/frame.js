// The elements of the page's frame (layout.js) by their names.

export class Frame {
  /** @param {any} root */
  constructor(root) {
    this.root = root;
  }

  // The element with this data-part, of whatever kind.
  /** @returns {any} */
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /** @returns {any} what a person fills in: #ink-NAME. */
  field(name) {
    return this.root.querySelector(`#ink-${name}`);
  }
}
