// Files of a story, made on the page: text, Markdown, JSON record, one HTML file with the odds, an e-book, a PDF by the
// browser's print window, a picture, and the link's QR code. E-books and PDFs can have several stories.

import { make } from "../make.js";
import { bookOf } from "./book.js";
import { epub } from "./epub.js";
import { draw } from "./picture.js";
import { print } from "./print.js";
import { defaults } from "../sampling/settings.js";
import { paragraphs } from "../story/shared_story.js";
import { stretchesOf } from "../story/tree.js";

// The forms in which a story is saved. `make` takes a story of shared_story.js and returns a Blob, or text of this
// type, or nothing if the print window makes the file.
const FORMS = {
  txt: { type: "text/plain", make: textFile },
  md: { type: "text/markdown", make: markdownFile },
  html: { type: "text/html", make: (story, files) => files.htmlFile(story) },
  epub: { make: (story, files) => files.epub(bookOf([story])) },
  pdf: { make: (story, files) => files.print(bookOf([story])) },
  json: { type: "application/json", make: (story, files) => files.recordFile(story) },
};
export const KINDS = Object.keys(FORMS);

const MARKUP = /([\\`*_{}[\]<>()#+.!|~^&$=:-])/g; // characters with a meaning in Markdown
const escaped = (text) => text.replace(MARKUP, "\\$1");
const SCHEMA = 2,
  LENGTH_MAX = 1000; // as in playground/stories/story.py and engine/replay.py
const INDENT = "inkling/"; // before a module's name in the HTML file's import map
const READER = "editor/reader.js";
const STYLES = ["base", "editor", "popover", "pages"];
const START = `import "${INDENT}${READER}";
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const reader = document.createElement("inkling-reader");
document.querySelector("main").replaceChildren(reader);
reader.start({ record: read("record"), texts: read("texts") });
`;

export class StoryFiles {
  // `root`: the page's address, with a slash; `source`: for the record with alternatives.
  constructor(root, source) {
    this.root = root;
    this.source = source;
  }

  // Returns the link's QR code as an image's address; null if the link is too long.
  async code(link) {
    const qr = await import("./qr.js");
    return qr.fits(link) ? `data:image/svg+xml,${encodeURIComponent(qr.svg(link))}` : null;
  }

  picture(story, { tall, odds }) {
    return draw(story, tall ? "tall" : "wide", odds);
  }

  // Returns a book of book.js as an e-book.
  epub(book) {
    return epub(book, (name) => this.text(name));
  }

  // Opens the print window with a book.
  print(book) {
    return print(book);
  }

  // Returns a story as a Blob; null if the print window makes the file.
  async file(kind, story) {
    const { type, make } = FORMS[kind],
      content = await make(story, this);
    return typeof content === "string" ? new Blob([content], { type: `${type};charset=utf-8` }) : (content ?? null);
  }

  async text(name) {
    return (await fetch(new URL(`web/${name}`, this.root))).text();
  }

  // Returns the record of a story with alternatives: its model generates it again, with the same draws.
  async record(story) {
    const ids = story.tokens.map((token) => token.i),
      stretches = stretchesOf(story.tokens).filter(({ run }) => run >= 0);
    const [first = { run: -1, from: ids.length }] = stretches;
    const parts = stretches.map(({ run, from, to }) => {
      const { settings, seed, begins, beyond } = story.runs[run];
      return { from, to, position: from - first.from, settings: { ...settings, seed }, begins, beyond };
    });
    const { tokens, ended } = await this.source.record({ model: story.model, ids, parts });
    const length = Math.max(1, Math.min(LENGTH_MAX, ids.length - first.from));
    return { first: story.runs[first.run], length, tokens, ended };
  }

  // Returns the record as JSON (docs/formats.md), with title, author and link.
  async recordFile(story) {
    const { first, length, tokens, ended } = await this.record(story);
    const settings = { ...defaults(), ...first?.settings, length, seed: first?.seed ?? 0 };
    const { fingerprint: model, title, author, link } = story;
    const written = { model, settings, prompt: "", prompt_ids: [], tokens, ended, begins_with: first?.begins ?? "" };
    const record = { ...written, schema: SCHEMA, title, author, link };
    return `${JSON.stringify(record, null, 1)}\n`;
  }

  async htmlFile(story) {
    const { tokens, ended } = await this.record(story);
    const record = { settings: { seed: 0 }, ended, tokens };
    const modules = JSON.stringify({ imports: await this.importMap() });
    const scripts = `script-src data: ${await allowed(modules)} ${await allowed(START)}`;
    const policy = `default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; ${scripts}`;
    const page = document.implementation.createHTMLDocument(story.title);
    page.documentElement.lang = "en";
    page.head.append(
      make("meta", { charset: "utf-8" }),
      make("meta", { name: "viewport", content: "width=device-width, initial-scale=1" }),
      make("meta", { "http-equiv": "Content-Security-Policy", content: policy }),
      make("style", {}, await this.style()),
      make("script", { type: "importmap" }, modules),
    );
    page.body.className = "shared";
    const text = (tag, words) => make(tag, { dir: "auto" }, words);
    const data = (id, value) => make("script", { type: "application/json", id }, asData(value));
    const footer = make("footer", {}, make("p", {}, `${story.model}: ${story.settings}`));
    const source = { href: story.link, rel: "noreferrer" };
    if (story.link) footer.append(make("p", {}, make("a", source, "Open it where it was written")));
    page.body.append(
      make("header", {}, text("h1", story.title), text("p", story.byline)),
      make("main", {}, ...paragraphs(story.text).map((part) => text("p", part))),
      footer,
      data("record", record),
      data("texts", JSON.parse(await this.text("text.json"))),
      make("script", { type: "module" }, START),
    );
    return `<!doctype html>\n${page.documentElement.outerHTML}`;
  }

  // Returns the reader's module and all its imports as data addresses, by name.
  async importMap() {
    const modules = {},
      waiting = [READER],
      form = /(\bfrom |\bimport )"(\.[\w./-]+\.js)"/g;
    while (waiting.length) {
      const name = waiting.pop();
      if (modules[INDENT + name]) continue;
      const text = await this.text(name);
      const path = (imported) => new URL(imported, `file:///${name}`).pathname.slice(1);
      waiting.push(...[...text.matchAll(form)].map(([, , imported]) => path(imported)));
      const code = text.replace(form, (_, keyword, imported) => `${keyword}"${INDENT}${path(imported)}"`);
      modules[INDENT + name] = await dataAddress(new Blob([code], { type: "text/javascript" }));
    }
    return modules;
  }

  // Returns the page's style with its fonts.
  async style() {
    let text = (await Promise.all(STYLES.map((name) => this.text(`style/${name}.css`)))).join("\n");
    for (const [, name] of [...text.matchAll(/url\("\.\.\/(fonts\/[\w-]+\.woff2)"\)/g)]) {
      const font = await (await fetch(new URL(`web/${name}`, this.root))).blob();
      text = text.replace(`../${name}`, await dataAddress(new Blob([font], { type: "font/woff2" })));
    }
    return text;
  }
}

function textFile({ title, byline, text, model, settings, link }) {
  return `${[title, byline, "", text, "", `${model}: ${settings}`, ...(link ? [link] : [])].join("\n")}\n`;
}

function markdownFile({ title, byline, text, model, settings, link }) {
  const body = paragraphs(text).map(escaped).join("\n\n");
  return `# ${escaped(title)}\n\n*${escaped(byline)}*\n\n${body}\n\n---\n\n${escaped(`${model}: ${settings}`)}.${link ? ` [Open it](${link})` : ""}\n`;
}

// Returns a Blob's content as a data address.
export const dataAddress = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

// Returns JSON without characters that an HTML parser could interpret.
const asData = (value) =>
  JSON.stringify(value, (_, one) => (typeof one === "number" ? Number(one.toFixed(6)) : one)).replace(
    /[<>&\u0080-\uffff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

// Returns a script's source for the Content-Security-Policy: its hash.
async function allowed(script) {
  if (!crypto.subtle) return "'unsafe-inline'"; // a page without https cannot compute hashes
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}
