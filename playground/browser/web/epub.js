// A story as an e-book, EPUB 3.3: the same pages as of playground/stories/epub.py.

import { cover } from "./picture.js";
import { zip } from "./zip.js";
import { paragraphs } from "../web/shared_story.js";

const TYPE = "application/epub+zip";
const STYLE = `body { font-family: serif; line-height: 1.5; margin: 5%; }
h1 { line-height: 1.2; margin: 2em 0 0.2em; }
p { margin: 0; text-indent: 1.2em; }
.by, .how { text-indent: 0; font-style: italic; }
.by { margin-bottom: 1.5em; }
.how { margin-top: 2em; font-size: 0.85em; }
.cover { margin: 0; text-align: center; }
img { max-width: 100%; max-height: 100%; }
`;
const CONTAINER = `<?xml version="1.0" encoding="UTF-8"?>
<container version="1.0" xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles>
<rootfile full-path="book/book.opf" media-type="application/oebps-package+xml"/>
</rootfiles>
</container>
`;
const NOT_XML = /[\p{C}\u2028\u2029]/gu; // control characters and the like, some of which XML does not allow
const SIGNS = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;" };

export async function epub(story) {
  const picture = new Uint8Array(await (await cover(story)).arrayBuffer());
  const image = `<div class="cover"><img src="cover.png" alt="${escaped(story.title)}"/></div>`;
  const row = `<li><a href="story1.xhtml">${escaped(story.title)}</a></li>`;
  return zip([
    ["mimetype", TYPE], // the first: that is how a reader tells the format
    ["META-INF/container.xml", CONTAINER],
    ["book/book.opf", contentsOf(story)],
    ["book/style.css", STYLE],
    ["book/cover.png", picture],
    ["book/cover.xhtml", page(story.title, image)],
    ["book/contents.xhtml", page("Contents", `<nav epub:type="toc"><h1>Contents</h1><ol>${row}</ol></nav>`)],
    ["book/story1.xhtml", page(story.title, body(story))],
  ], TYPE);
}

function contentsOf(story) {
  const id = [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return `<?xml version="1.0" encoding="UTF-8"?>
<package xmlns="http://www.idpf.org/2007/opf" version="3.0" unique-identifier="id" xml:lang="en">
<metadata xmlns:dc="http://purl.org/dc/elements/1.1/">
<dc:identifier id="id">urn:inkling:${id}</dc:identifier>
<dc:title>${escaped(story.title)}</dc:title><dc:creator>${escaped(story.author || story.model)}</dc:creator><dc:language>en</dc:language>
<meta property="dcterms:modified">${new Date().toISOString().slice(0, 19)}Z</meta>
</metadata>
<manifest>
<item id="style" href="style.css" media-type="text/css"/>
<item id="picture" href="cover.png" media-type="image/png" properties="cover-image"/>
<item id="cover" href="cover.xhtml" media-type="application/xhtml+xml"/>
<item id="contents" href="contents.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="page1" href="story1.xhtml" media-type="application/xhtml+xml"/>
</manifest>
<spine><itemref idref="cover"/><itemref idref="contents"/><itemref idref="page1"/></spine>
</package>
`;
}

function page(title, content) {
  return `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE html>
<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"
 lang="en" xml:lang="en">
<head><title>${escaped(title)}</title><link rel="stylesheet" type="text/css" href="style.css"/></head>
<body>${content}</body>
</html>
`;
}

function body(story) {
  const text = paragraphs(story.text).map((part) => `<p>${escaped(part)}</p>`).join("");
  const how = `${escaped(`${story.model}: ${story.settings}`)}. <a href="${escaped(story.link)}">Open it</a>`;
  return `<h1>${escaped(story.title)}</h1><p class="by">${escaped(story.byline)}</p>${text}<p class="how">${how}</p>`;
}

const escaped = (text) => text.replace(NOT_XML, (one) => ("\n\t".includes(one) ? one : "")).replace(/[&<>"']/g, (one) => SIGNS[one]);
