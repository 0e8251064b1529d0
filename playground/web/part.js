// A part of the page names the objects of the page (types.d.ts) that it needs in its class line, and gets no others.
//
//   export class Choices extends partWith("frame", "state", "language") { ... this.state.now ... }
//   new Choices(page)

/**
 * Returns the base class of parts that need these objects of the page: each becomes a property.
 * @template {keyof Page} Name
 * @param {...Name} names
 * @returns {new (page: Pick<Page, Name>) => Pick<Page, Name>}
 */
export const partWith = (...names) =>
  /** @type {any} */ (
    class {
      constructor(page) {
        Object.assign(this, Object.fromEntries(names.map((name) => [name, page[name]])));
      }
    }
  );
