// A story as a file, made on the page: text, Markdown, one HTML file with the odds, a picture.

import { draw } from "./picture.js";
import { paragraphs } from "../web/shared_story.js";

const MARKUP = /([\\`*_{}[\]<>()#+.!|~^&$=:-])/g; // what Markdown could take for its own
const escaped = (text) => text.replace(MARKUP, "\\$1");
const INDENT = "inkling/"; // before a module's name in the HTML file's import map
const START = `import "${INDENT}reader.js";
const read = (name) => JSON.parse(document.getElementById(name).textContent);
const reader = document.createElement("inkling-reader");
document.querySelector("main").replaceChildren(reader);
reader.start({ record: read("record"), texts: read("texts") });
`;

export class StoryFiles {
  // `root`: the page's address, with a slash; `source`: asked for what else could have stood there.
  constructor(root, source) {
    this.root = root;
    this.source = source;
    this.kinds = ["txt", "md", "html"];
  }

  picture(story, { tall, odds }) {
    return draw(story, tall ? "tall" : "wide", odds);
  }

  async file(kind, story) {
    const content = await { txt: textFile, md: markdownFile, html: () => this.htmlFile(story) }[kind](story);
    const types = { txt: "text/plain", md: "text/markdown", html: "text/html" };
    return new Blob([content], { type: `${types[kind]};charset=utf-8` });
  }

  async text(name) {
    return (await fetch(new URL(`web/${name}`, this.root))).text();
  }

  async htmlFile(story) {
    const { tokens } = await this.source.record(story.tokens.map((token) => token.i));
    const record = {
      settings: { seed: 0 }, ended: false,
      tokens: tokens.map((token, k) => ({ ...token, draw: story.tokens[k].r < 0 ? null : 0 })),
    };
    const modules = JSON.stringify({ imports: await this.importMap() });
    const scripts = `script-src data: ${await allowed(modules)} ${await allowed(START)}`;
    const policy = `default-src 'none'; style-src 'unsafe-inline'; font-src data:; img-src data:; ${scripts}`;
    const page = document.implementation.createHTMLDocument(story.title);
    page.documentElement.lang = "en";
    const add = (parent, name, attributes, text = "") => {
      const element = page.createElement(name);
      for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
      element.textContent = text;
      parent.append(element);
      return element;
    };
    add(page.head, "meta", { charset: "utf-8" });
    add(page.head, "meta", { name: "viewport", content: "width=device-width, initial-scale=1" });
    add(page.head, "meta", { "http-equiv": "Content-Security-Policy", content: policy });
    add(page.head, "style", {}, await this.style());
    add(page.head, "script", { type: "importmap" }, modules);
    page.body.className = "shared";
    const header = add(page.body, "header", {});
    add(header, "h1", {}, story.title);
    add(header, "p", {}, story.byline);
    const main = add(page.body, "main", {});
    for (const part of paragraphs(story.text)) add(main, "p", {}, part);
    const footer = add(page.body, "footer", {});
    add(footer, "p", {}, `${story.model}: ${story.settings}`);
    const place = add(footer, "p", {});
    add(place, "a", { href: story.link, rel: "noreferrer" }, "Open it where it was written");
    add(page.body, "script", { type: "application/json", id: "record" }, asData(record));
    add(page.body, "script", { type: "application/json", id: "texts" }, asData(JSON.parse(await this.text("text.json"))));
    add(page.body, "script", { type: "module" }, START);
    return `<!doctype html>\n${page.documentElement.outerHTML}`;
  }

  // The reader's module and all that it imports, as addresses that hold the whole text.
  async importMap() {
    const found = {}, waiting = ["reader.js"], form = /(\bfrom |\bimport )"\.\/([\w-]+\.js)"/g;
    while (waiting.length) {
      const name = waiting.pop();
      if (found[INDENT + name]) continue;
      const text = await this.text(name);
      waiting.push(...[...text.matchAll(form)].map(([, , imported]) => imported));
      found[INDENT + name] = await dataAddress(new Blob([text.replace(form, `$1"${INDENT}$2"`)], { type: "text/javascript" }));
    }
    return found;
  }

  // The page's style with its typefaces.
  async style() {
    let text = await this.text("style.css");
    for (const [, name] of [...text.matchAll(/url\("(fonts\/[\w-]+\.woff2)"\)/g)]) {
      const font = await (await fetch(new URL(`web/${name}`, this.root))).blob();
      text = text.replace(name, await dataAddress(new Blob([font], { type: "font/woff2" })));
    }
    return text;
  }
}

function textFile({ title, byline, text, model, settings, link }) {
  return `${[title, byline, "", text, "", `${model}: ${settings}`, link].join("\n")}\n`;
}

function markdownFile({ title, byline, text, model, settings, link }) {
  const body = paragraphs(text).map(escaped).join("\n\n");
  return `# ${escaped(title)}\n\n*${escaped(byline)}*\n\n${body}\n\n---\n\n${escaped(`${model}: ${settings}`)}. [Open it](${link})\n`;
}

const dataAddress = (blob) => new Promise((resolve) => {
  const reader = new FileReader();
  reader.onload = () => resolve(reader.result);
  reader.readAsDataURL(blob);
});

// JSON that no HTML parser takes for anything else.
const asData = (value) => JSON.stringify(value, (_, one) => (typeof one === "number" ? Number(one.toFixed(6)) : one))
  .replace(/[<>&\u0080-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, "0")}`);

// A script's text as the policy names it.
async function allowed(script) {
  if (!crypto.subtle) return "'unsafe-inline'"; // a page without https cannot count it
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(script)));
  return `'sha256-${btoa(String.fromCharCode(...digest))}'`;
}
