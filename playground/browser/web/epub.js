// A story as an e-book, EPUB 3.3: the same pages as of playground/stories/epub.py.

import { cover } from "./picture.js";
import { languageOf } from "./story_language.js";
import { zip } from "./zip.js";
import { paragraphs } from "../web/shared_story.js";

const TYPE = "application/epub+zip";
const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu; // control characters and halves of others
const ENGLISH = 'lang="en" xml:lang="en" dir="ltr"'; // the words that are not the story's
const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

// `text`: what web/NAME of the page holds; the parts that every book has are there.
export async function epub(story, text) {
  const names = ["container.xml", "package.opf", "page.xhtml", "style.css"];
  const [container, book, frame, style] = await Promise.all(names.map((name) => text(`epub/${name}`)));
  const table = JSON.parse(await text("languages.json"));
  const [language, direction] = languageOf(story.text, table);
  const title = escaped(story.title), page = (name, content) => filled(frame, { title: name, body: content, language, direction });
  const picture = new Uint8Array(await (await cover(story)).arrayBuffer());
  return zip([
    ["mimetype", TYPE], // the first: that is how a reader recognises the format
    ["META-INF/container.xml", container],
    ["book/book.opf", filled(book, {
      id: uuid(), title, language, direction, languages: `<dc:language>${language}</dc:language>`,
      by: escaped(story.author || story.model), modified: `${new Date().toISOString().slice(0, 19)}Z`,
      items: '<item id="page1" href="story1.xhtml" media-type="application/xhtml+xml"/>', order: '<itemref idref="page1"/>',
    })],
    ["book/style.css", style],
    ["book/cover.png", picture],
    ["book/cover.xhtml", page(title, `<div class="cover"><img src="cover.png" alt="${title}"/></div>`)],
    ["book/contents.xhtml", page("Contents", `<nav epub:type="toc"><h1 ${ENGLISH}>Contents</h1><ol><li><a href="story1.xhtml">${title}</a></li></ol></nav>`)],
    ["book/story1.xhtml", page(title, body(story))],
  ], TYPE);
}

// A part with its places in braces filled, each once and in one pass, so that no word of a story is one.
const filled = (part, values) => part.replace(/\{(\w+)\}/g, (_, name) => values[name]);

// Version 4; a page without https has no crypto.randomUUID.
function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function body(story) {
  const text = paragraphs(story.text).map((part) => `<p>${escaped(part)}</p>`).join("");
  const how = `${escaped(`${story.model}: ${story.settings}`)}.${
    story.link ? ` <a href="${escaped(story.link)}">Open it</a>` : ""}`;
  return `<h1>${escaped(story.title)}</h1><p class="by">${escaped(story.byline)}</p>${text}<p class="how" ${ENGLISH}>${how}</p>`;
}

const escaped = (text) => text.replace(NOT_XML, "").replace(/[&<>"']/g, (one) => SIGNS[one]);
