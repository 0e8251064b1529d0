// A story on paper, or as a PDF by the browser's own print window: it has the letters of every script and
// text that can be searched, which a file that is put together here would not.

import { svg, fits } from "./qr.js";
import { paragraphs } from "../web/shared_story.js";

export function print(story) {
  const sheet = document.createElement("article");
  sheet.className = "print";
  const add = (name, text, className = "") => {
    const element = document.createElement(name);
    element.textContent = text;
    element.className = className;
    sheet.append(element);
    return element;
  };
  add("h1", story.title);
  add("p", story.byline, "by");
  for (const part of paragraphs(story.text)) add("p", part);
  add("p", `${story.model}: ${story.settings}.`, "how");
  if (fits(story.link)) {
    const code = add("a", "", "code");
    code.href = story.link;
    code.innerHTML = svg(story.link); // squares and numbers only
  }
  const title = document.title;
  document.title = story.title; // the file's name
  document.body.append(sheet);
  document.body.classList.add("printing");
  addEventListener("afterprint", () => {
    document.title = title;
    document.body.classList.remove("printing");
    sheet.remove();
  }, { once: true });
  window.print();
}
