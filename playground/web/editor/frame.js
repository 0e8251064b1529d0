// The elements of the page's frame (layout.js) by their names.

export class Frame {
  /** @param {any} root */
  constructor(root) {
    this.root = root;
  }

  /** @returns {any} the element with this data-part */
  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /** @returns {any} the form field #ink-NAME */
  field(name) {
    return this.root.querySelector(`#ink-${name}`);
  }
}
