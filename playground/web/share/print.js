// Prints a book of stories, or saves it as a PDF with searchable text, by the browser's print window, which has the
// characters of every script.

import { subtitle } from "./book.js";
import { paragraphs } from "../story/shared_story.js";

// Several stories get contents; a book with a title of its own gets a cover.
export async function print(book) {
  const qr = await import("./qr.js");
  const { title, by, stories } = book,
    sheet = document.createElement("article");
  sheet.className = "print";
  if (stories.length > 1 || title !== stories[0].title) {
    const cover = add(sheet, "header");
    add(cover, "h1", title);
    for (const line of [by, subtitle(book)]) add(cover, "p", line, "by");
  }
  if (stories.length > 1) {
    const contents = add(sheet, "nav");
    add(contents, "h2", "Contents");
    const list = add(contents, "ol");
    stories.forEach((story, k) => {
      add(add(list, "li"), "a", story.title).href = `#${place(k)}`;
    });
  }
  stories.forEach((story, k) => {
    const page = add(sheet, "section");
    page.id = place(k);
    write(page, story, qr);
  });
  const before = document.title;
  document.title = title; // becomes the file's name
  document.body.append(sheet);
  document.body.classList.add("printing");
  addEventListener(
    "afterprint",
    () => {
      document.title = before;
      document.body.classList.remove("printing");
      sheet.remove();
    },
    { once: true },
  );
  window.print();
}

const place = (k) => `ink-printed-${k + 1}`;

function add(parent, name, text = "", className = "") {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = className;
  if (text) element.dir = "auto";
  parent.append(element);
  return element;
}

function write(page, story, qr) {
  add(page, "h1", story.title);
  add(page, "p", story.byline, "by");
  for (const part of paragraphs(story.text)) add(page, "p", part);
  add(page, "p", `${story.model}: ${story.settings}.`, "how");
  if (!qr.fits(story.link)) return;
  const code = add(page, "a", "", "code");
  code.href = story.link;
  code.innerHTML = qr.svg(story.link); // safe: only shapes and numbers
}
