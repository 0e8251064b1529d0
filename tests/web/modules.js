// The page's modules for tests in Node: `web("story/tree")` is playground/web/story/tree.js.

import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";

export const ROOT = new URL("../../", import.meta.url);

// No package.json says that these are modules.
registerHooks({
  resolve(specifier, context, next) {
    const resolved = next(specifier, context);
    return resolved.url.endsWith(".js") ? { ...resolved, format: "module" } : resolved;
  },
});

export const web = (path) => import(new URL(`playground/web/${path}.js`, ROOT));

// The core that the page has.
export async function openCore() {
  const { Core } = await web("sampling/core");
  return Core.open(readFileSync(new URL("playground/core/built/core.wasm", ROOT)));
}

// A file of the project as a value.
export const json = (path) => JSON.parse(readFileSync(new URL(path, ROOT), "utf-8"));

// Whether two numbers are the same up to rounding.
export const isClose = (one, other, relative) =>
  Math.abs(one - other) <= relative * Math.max(Math.abs(one), Math.abs(other));
