// The views of "Look closer", one row each. A view is a folder beside this file, named after its id, with view.css and
// view.js, which has a class `View`:
//
//   new View(given)    see Given; must not draw or request anything yet
//   show(element)      draws the view into an empty element, which stays on the page until hide()
//   changed()          the story, its settings, the model, the core or the language may have changed (while shown, at
//                      most once per frame; compare `given` with what is drawn)
//   hide()             ends requests, timers, and listeners outside the element
//
// An address that ends with #ID or #ID=... opens the view; the part after "=" is the view's own. The texts of a view
// are in text.json. Module and style are loaded when a person opens the view for the first time; the page without a
// server also has them offline, since its service worker lists every file of web/.

/**
 * The object with which a view is constructed. Every property has the current value.
 * @typedef {object} Given
 * @property {{t: string, s: number|null, i: number|null, r: number}[]} tokens the current branch: text, surprise in
 *   nats, id (null: pending text), and run that wrote it (-1: a person)
 * @property {number[]} ids of the scored tokens
 * @property {string} text of all tokens
 * @property {boolean} writing whether the model is writing
 * @property {any} model as in start.json: name, fingerprint, context, history, ...
 * @property {any[]} models all models of the page
 * @property {Record<string, any>} settings as sampling/settings.js has them, without the seed
 * @property {any} source of words: sources/server.js or sources/local/source.js
 * @property {any} core the WebAssembly core (sampling/core.js), or null if it is not loaded
 * @property {{code: string, say: (key: string, values?: object) => string, apply: (root: Element) => void}} language
 * @property {(sentence: string) => void} say shows a sentence on the page and announces it to screen readers
 */

/**
 * @typedef {object} Row
 * @property {string} id its folder
 * @property {string} label key of its name in text.json
 * @property {string} about key of its description
 * @property {boolean} [wide] whether it replaces the story too, and not only the panels beside it
 * @property {(given: Given) => boolean} exists whether the view exists for this model and source; see `source.isServer`
 * @property {() => Promise<{View: new (given: Given) => {show: Function, changed: Function, hide: Function}}>} load
 */

/** @type {Row[]} */
export const VIEWS = [
  {
    id: "learning",
    label: "learning",
    about: "learning_about",
    wide: true,
    exists: ({ model, source }) => (model.history?.length ?? 0) > 1 || (source.isServer && model.snapshots),
    load: () => import("./learning/view.js"),
  },
  {
    id: "compare",
    label: "compare_view",
    about: "compare_about",
    wide: true,
    exists: () => true,
    load: () => import("./compare/view.js"),
  },
  {
    id: "trace",
    label: "trace",
    about: "trace_about",
    wide: true,
    exists: ({ model, source }) => source.isServer || Boolean(model.trace), // the filter's file, without a server
    load: () => import("./trace/view.js"),
  },
  {
    id: "inside",
    label: "inside",
    about: "inside_about",
    wide: true,
    exists: ({ source }) => source.isServer,
    load: () => import("./inside/view.js"),
  },
];
