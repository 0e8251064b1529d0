// Prints a book of stories, or saves it as a PDF with searchable text, by the browser's print window, which has the
// characters of every script.

import { make } from "../make.js";
import { subtitle } from "./book.js";
import { paragraphs } from "../story/shared_story.js";

// Several stories get contents; a book with a title of its own gets a cover.
export async function print(book) {
  const qr = await import("./qr.js");
  const { title, by, stories } = book,
    sheet = make("article", { className: "print" });
  if (stories.length > 1 || title !== stories[0].title)
    sheet.append(make("header", {}, text("h1", title), text("p", by, "by"), text("p", subtitle(book), "by")));
  if (stories.length > 1) {
    const items = stories.map((story, k) =>
      make("li", {}, make("a", { href: `#${place(k)}`, dir: "auto" }, story.title)),
    );
    sheet.append(make("nav", {}, text("h2", "Contents"), make("ol", {}, ...items)));
  }
  sheet.append(...stories.map((story, k) => make("section", { id: place(k) }, ...printed(story, qr))));
  const before = document.title;
  document.title = title; // becomes the file's name
  document.body.append(sheet);
  document.body.classList.add("printing");
  const restore = () => {
    document.title = before;
    document.body.classList.remove("printing");
    sheet.remove();
  };
  addEventListener("afterprint", restore, { once: true });
  window.print();
}

const place = (k) => `ink-printed-${k + 1}`;

const text = (tag, words, className = "") => make(tag, { className, dir: "auto" }, words);

function printed(story, qr) {
  const { link } = story;
  const code = qr.fits(link)
    ? [make("a", { className: "code", href: link, innerHTML: qr.svg(link) })] // safe: only shapes and numbers
    : [];
  return [
    text("h1", story.title),
    text("p", story.byline, "by"),
    ...paragraphs(story.text).map((part) => text("p", part)),
    text("p", `${story.model}: ${story.settings}.`, "how"),
    ...code,
  ];
}
