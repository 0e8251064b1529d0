// The page's modules for tests in Node: `web("tree")` is playground/web/tree.js, and `own("tokenizer")` is
// playground/browser/web/tokenizer.js, which a page without a server has besides.
//
// Served, the second folder lies beside the first as browser/, so its modules import "../web/NAME". This
// resolves such a path to where the file lies.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

export const ROOT = new URL("../../", import.meta.url);
const WEB = new URL("playground/web/", ROOT), OWN = new URL("playground/browser/web/", ROOT);

registerHooks({
  resolve(specifier, context, next) {
    const isServed = context.parentURL?.startsWith(OWN.href) && specifier.startsWith("../web/");
    const resolved = next(isServed ? new URL(specifier.slice("../web/".length), WEB).href : specifier, context);
    return resolved.url.endsWith(".js") ? { ...resolved, format: "module" } : resolved;
  },
});

export const web = (name) => import(new URL(`${name}.js`, WEB));
export const own = (name) => import(new URL(`${name}.js`, OWN));

// The core that the page has.
export async function openCore() {
  const { Core } = await web("core");
  return Core.open(readFileSync(new URL("playground/core/built/core.wasm", ROOT)));
}

// A file of the project as a value.
export const json = (path) => JSON.parse(readFileSync(new URL(path, ROOT), "utf-8"));

// Whether two numbers are the same up to rounding.
export const isClose = (one, other, relative) => Math.abs(one - other) <= relative * Math.max(Math.abs(one), Math.abs(other));
