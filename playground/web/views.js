// The views: ways to look closer at a story, a row for each. A view is one folder beside this file, named after its
// id. It has view.css, and view.js with a class `View`:
//
//   new View(given)    see Given; nothing is drawn or asked for yet
//   show(element)      draws itself into an empty element, which stays on the page until hide()
//   changed()          the story, its settings, the model, the core or the language may have changed (while shown, at
//                      most once a frame; compare what `given` says with what you drew)
//   hide()             ends what it began: requests, timers, listeners outside its element
//
// An address that ends with #ID or #ID=... opens the view; what stands behind is the view's own. The words of a view
// stand in text.json. Module and style are loaded when a person opens the view for the first time; the page without a
// server keeps them for use offline, since its service worker lists every file of web/.

/**
 * What a view is constructed with. Every property says how things are now.
 * @typedef {object} Given
 * @property {{t: string, s: number|null, i: number|null, r: number}[]} tokens the current branch: text, surprise in
 *   nats, id (null: typed and not read yet), and run that wrote it (-1: a person)
 * @property {number[]} ids the ids of those tokens that the model has read
 * @property {string} text of all tokens
 * @property {boolean} writing whether the story grows just now
 * @property {any} model as start.json describes it: name, fingerprint, context, history, ...
 * @property {any[]} models all that can be chosen
 * @property {Record<string, any>} settings as sampling/settings.js has them, without the seed
 * @property {any} source where words come from: sources/server.js or sources/local/source.js
 * @property {any} core the WebAssembly core (sampling/core.js), or null while or where it is not there
 * @property {{code: string, say: (key: string, values?: object) => string, apply: (root: Element) => void}} language
 * @property {(sentence: string) => void} say a sentence on the page, which a screen reader reads too
 */

/**
 * @typedef {object} Row
 * @property {string} id its folder
 * @property {string} label key of its name in text.json
 * @property {string} about key of a sentence that says what it shows
 * @property {boolean} [wide] whether it takes the story's place too, and not only that of the panels beside it
 * @property {(given: Given) => boolean} exists for this model and this source; `source.isServer` tells the two apart
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
