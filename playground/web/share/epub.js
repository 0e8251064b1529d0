// A book of stories as an e-book (EPUB 3.3): XHTML pages in a ZIP file, for e-readers, phones and Word.

import { cover } from "./picture.js";
import { paragraphs } from "../story/shared_story.js";
import { languageOf } from "../story/story_language.js";
import { zip } from "./zip.js";

const TYPE = "application/epub+zip";
const NOT_XML = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu; // control characters, lone surrogates
const ENGLISH = 'lang="en" xml:lang="en" dir="ltr"'; // of texts that are not the story's
const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

// Returns the e-book as a Blob. `book`: of book.js; `text`: returns the content of the page's file web/NAME, which has
// the constant parts of a book.
export async function epub(book, text) {
  const names = ["container.xml", "package.opf", "page.xhtml", "style.css"];
  const [container, parts, frame, style] = await Promise.all(names.map((name) => text(`share/epub/${name}`)));
  const table = JSON.parse(await text("share/languages.json")),
    { stories } = book;
  const whole = languageOf(stories.map((story) => story.text).join("\n"), table);
  const languages = stories.map((story) => languageOf(story.text, table));
  const page = (title, body, [language, direction]) =>
    filled(frame, { title: escaped(title), body, language, direction });
  const picture = new Uint8Array(await (await cover(book)).arrayBuffer());
  const image = `<div class="cover"><img src="cover.png" alt="${escaped(book.title)}"/></div>`;
  const each = (make) => stories.map((story, k) => make(k + 1, story)).join("");
  return zip(
    [
      ["mimetype", TYPE], // must be first: readers recognise the format by it
      ["META-INF/container.xml", container],
      [
        "book/book.opf",
        filled(parts, {
          id: uuid(),
          title: escaped(book.title),
          by: escaped(book.by),
          language: whole[0],
          direction: whole[1],
          languages: [...new Set([whole, ...languages].map(([code]) => `<dc:language>${code}</dc:language>`))].join(""),
          modified: `${new Date().toISOString().slice(0, 19)}Z`,
          items: each((k) => `<item id="page${k}" href="story${k}.xhtml" media-type="application/xhtml+xml"/>`),
          order: each((k) => `<itemref idref="page${k}"/>`),
        }),
      ],
      ["book/style.css", style],
      ["book/cover.png", picture],
      ["book/cover.xhtml", page(book.title, image, languageOf(book.title, table))],
      [
        "book/contents.xhtml",
        page(
          "Contents",
          `<nav epub:type="toc"><h1 ${ENGLISH}>Contents</h1><ol>${each(
            (k, { title }) => `<li><a href="story${k}.xhtml">${escaped(title)}</a></li>`,
          )}</ol></nav>`,
          whole,
        ),
      ],
      ...stories.map((story, k) => [`book/story${k + 1}.xhtml`, page(story.title, body(story), languages[k])]),
    ],
    TYPE,
  );
}

// Fills the placeholders in braces, in one pass, so that braces in a story are not filled.
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
  const text = paragraphs(story.text)
    .map((part) => `<p dir="auto">${escaped(part)}</p>`)
    .join("");
  const how = `${escaped(`${story.model}: ${story.settings}`)}.${
    story.link ? ` <a href="${escaped(story.link)}">Open it</a>` : ""
  }`;
  return `<h1 dir="auto">${escaped(story.title)}</h1><p class="by" dir="auto">${escaped(story.byline)}</p>${text}<p class="how" ${ENGLISH}>${how}</p>`;
}

const escaped = (text) => text.replace(NOT_XML, "").replace(/[&<>"']/g, (one) => SIGNS[one]);
