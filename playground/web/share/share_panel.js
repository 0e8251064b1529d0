// The panel for sharing a story: its link, QR code, picture, files, and a book of several stories. `files` (files.js)
// makes files also of a story that is too long for a link; without `files` there is only the link.

import { make } from "../make.js";
import { partWith } from "../part.js";
import { STORIES_MAX, bookOf } from "./book.js";
import { linesOf } from "./book_lines.js";
import { download } from "./download.js";
import { fileName } from "./file_name.js";
import { KINDS, dataAddress } from "./files.js";
import { TooLong } from "../story/permalink.js";
import { beginning, sharedStory } from "../story/shared_story.js";
import { storage } from "../story/storage.js";
import { pendingText } from "../story/tree.js";

const DEBOUNCE = 500; // ms without a key after which the picture is drawn again
const LOCAL = ["localhost", "127.0.0.1", "[::1]"];
const BOOK = "inkling-book",
  AUTHOR = "inkling-author"; // in localStorage

// Returns whether an address leads to the computer that opens it.
export const isLocal = (address) => LOCAL.includes(new URL(address).hostname);

export const PANEL = `
<section class="sharing" data-part="sharing" aria-labelledby="ink-sharing" hidden>
  <h2 id="ink-sharing" data-text="share_title"></h2>
  <button type="button" class="quiet close" data-share="close" data-label="close">✕</button>
  <div class="row" data-part="link-row">
    <label for="ink-link" data-text="link"></label>
    <input id="ink-link" readonly>
    <button type="button" class="primary" data-share="copy" data-text="copy"></button>
    <button type="button" data-share="send" data-part="send" data-text="send"></button>
  </div>
  <p class="hint" data-part="share-note" role="status"></p>
  <label class="switch" data-part="all-branches"><input type="checkbox" id="ink-all-branches"><span data-text="all_branches"></span></label>
  <p class="hint" data-part="local" data-text="link_local"></p>
  <div data-part="made">
    <div class="names">
      <label><span data-text="story_title"></span><input id="ink-title" maxlength="120" autocomplete="off"></label>
      <label><span data-text="author"></span><input id="ink-author" maxlength="120" autocomplete="name"></label>
    </div>
    <div class="prints">
      <figure>
        <img data-part="picture" alt="">
        <figcaption>
          <label class="switch"><input type="checkbox" id="ink-tall"><span data-text="picture_tall"></span></label>
          <label class="switch"><input type="checkbox" id="ink-picture-odds"><span data-text="picture_odds"></span></label>
          <button type="button" data-share="picture" data-text="picture_save"></button>
        </figcaption>
      </figure>
      <figure class="code">
        <button type="button" data-share="large" data-label="code_large" data-hint="code_large"><img data-part="code" alt=""></button>
        <figcaption class="hint" data-text="code"></figcaption>
      </figure>
    </div>
    <div class="row" role="group" data-label="files">
      <span data-text="files"></span>
      ${KINDS.map((kind) => `<button type="button" data-file="${kind}">.${kind}</button>`).join("")}
    </div>
    <details class="book">
      <summary><span data-text="book"></span> <span data-part="book-count"></span></summary>
      <p class="hint" data-text="book_hint"></p>
      <label><span data-text="book_title"></span><input id="ink-book-title" maxlength="120" autocomplete="off"></label>
      <ol data-part="book-list"></ol>
      <div class="row">
        <button type="button" data-share="add" data-text="book_add"></button>
        <button type="button" data-book="epub" data-text="book_epub"></button>
        <button type="button" data-book="pdf" data-text="book_pdf"></button>
      </div>
      <label><span data-text="book_links"></span><textarea id="ink-book-links" rows="3" spellcheck="false"></textarea></label>
      <button type="button" data-share="add-links" data-text="book_add_links"></button>
    </details>
  </div>
  <dialog data-part="large"><img alt=""><form method="dialog"><button data-text="close"></button></form></dialog>
</section>`;

export class SharePanel extends partWith("frame", "state", "language", "note", "files", "sharing", "edits", "stories") {
  // `opens`: called before the panel is shown.
  constructor(page, opens) {
    super(page);
    this.opens = opens;
    this.element = this.part("sharing");
    this.text = ""; // of the link
    this.turn = 0; // of the picture
    this.book = bookIn(storage.local.value(BOOK)) ?? { title: "", stories: [] };
    this.field("author").value = storage.local.get(AUTHOR) ?? "";
    this.field("book-title").value = this.book.title;
    this.state.on(["past", "future", "language"], () => this.close());
    this.element.addEventListener("click", (event) => this.click(event.target.closest("button")));
    this.element.addEventListener("input", (event) => this.input(event.target.id));
  }

  field(name) {
    return this.frame.field(name);
  }

  part(name) {
    return this.frame.part(name);
  }

  say(key, values) {
    this.part("share-note").textContent = key ? this.language.say(key, values) : "";
  }

  // Opens the panel for the current story.
  async open() {
    if (this.state.now.writing || !(await this.during("reading", () => this.isReadAsItIs()))) return;
    const { files } = this,
      { doc } = this.state.now;
    this.opens();
    this.element.hidden = false;
    this.part("all-branches").hidden = Object.keys(doc.branches).length < 2;
    this.part("send").hidden = !navigator.share;
    this.part("made").hidden = !files;
    const first = beginning(this.state.text),
      title = this.field("title");
    if (title.placeholder !== first) title.value = ""; // another story needs another title
    title.placeholder = first;
    this.say("");
    this.showBook();
    if (await this.link()) {
      this.field("link").focus();
      this.field("link").select();
    }
    this.element.scrollIntoView({ block: "nearest" });
  }

  // Returns whether a link can hold the story's text exactly; if not, the page says why.
  async isReadAsItIs() {
    if (!(await this.edits.isScored())) return false;
    if (!pendingText(this.state.tokens).trim()) return true;
    this.note.tell("read_otherwise", { name: this.state.now.model.name });
    return false;
  }

  get isOpen() {
    return !this.element.hidden;
  }

  // Closes the panel; the focus returns to the button that opens it.
  close() {
    const inside = this.element.contains(document.activeElement);
    this.element.hidden = true;
    if (inside) this.part("share").focus();
  }

  // Makes the link; returns whether there is one. Without a link the story can still be saved.
  async link() {
    const { sharing, files, language } = this;
    this.text = "";
    try {
      this.text = await sharing.text(this.field("all-branches").checked);
      this.say("");
    } catch (problem) {
      if (!(problem instanceof TooLong)) throw problem;
      this.say(`link_too_long_${problem.what}`, { n: problem.count, max: problem.most });
      this.note.announce(language.say("link_none"));
    }
    this.field("link").value = this.text && sharing.address(this.text);
    this.part("link-row").hidden = !this.text;
    this.part("local").hidden = !this.text || !isLocal(this.field("link").value);
    if (files) {
      const code = await files.code(this.field("link").value);
      this.element.querySelector(".code").hidden = !code;
      if (code) this.show(this.part("code"), code);
      this.showPicture();
    }
    return Boolean(this.text);
  }

  // The typed title, or the story's first words.
  get title() {
    return this.field("title").value.trim() || this.field("title").placeholder;
  }

  get author() {
    return this.field("author").value.trim();
  }

  // The story for `files`.
  get story() {
    const { doc, model } = this.state.now,
      { tokens } = this.state,
      { title, author } = this;
    const { name, fingerprint } = model,
      link = this.field("link").value;
    return sharedStory({ tokens, runs: doc.runs, model: name, fingerprint }, { title, author, link });
  }

  makePicture() {
    const [tall, odds] = ["tall", "picture-odds"].map((name) => this.field(name).checked);
    return this.files.picture(this.story, { tall, odds });
  }

  async showPicture() {
    const image = this.part("picture"),
      turn = (this.turn += 1);
    image.alt = this.language.say("picture_alt");
    try {
      // A data address is what the page's Content-Security-Policy allows.
      const address = await dataAddress(await this.makePicture());
      if (turn === this.turn) this.show(image, address); // else a newer picture is being drawn
    } catch (problem) {
      image.hidden = true;
      this.sayWhy(problem);
    }
  }

  show(image, address) {
    image.hidden = false;
    image.onerror = () => (image.hidden = true);
    image.src = address;
  }

  sayWhy({ message }) {
    this.say(message ? "nothing_made" : "lost", { why: message });
  }

  // Returns the result of `work`; after each second a sentence says for how long it has been running.
  async during(key, work) {
    const began = Date.now();
    let sentence = "";
    const timer = setInterval(() => {
      sentence = this.language.say(key, { n: Math.round((Date.now() - began) / 1000) });
      this.part("share-note").textContent = sentence;
      if (this.element.hidden) this.note.show(sentence);
    }, 1000);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      if (this.element.hidden) this.note.clear(sentence); // but not a message of `work`
    }
  }

  input(id) {
    if (id === "ink-author") storage.local.set(AUTHOR, this.field("author").value);
    if (id === "ink-all-branches") this.link();
    if (id === "ink-book-title") this.keepBook();
    if (["ink-title", "ink-author", "ink-tall", "ink-picture-odds"].includes(id)) {
      clearTimeout(this.resting);
      this.resting = setTimeout(() => this.showPicture(), DEBOUNCE);
    }
  }

  async click(button) {
    if (!button) return;
    const { share, file, book, remove } = button.dataset;
    if (share === "close") this.close();
    else if (share === "copy") await this.copy();
    else if (share === "send") await this.send();
    else if (share === "large") this.showLarge();
    else if (share === "picture") await this.save(() => this.makePicture(), this.title, "png");
    else if (share === "add") this.add([this.entry]);
    else if (share === "add-links") await this.addLinks();
    else if (file) await this.save(() => this.files.file(file, this.story), this.title, file);
    else if (book) await this.saveBook(book);
    else if (remove) this.remove(Number(remove));
  }

  async copy() {
    this.field("link").select();
    try {
      await navigator.clipboard.writeText(this.field("link").value);
    } catch {
      document.execCommand("copy"); // without https there is no clipboard API
    }
    this.say("copied");
  }

  // Opens the device's share dialog, with the picture if it accepts files.
  async send() {
    const url = this.field("link").value;
    const what = { title: this.title, url };
    try {
      if (this.files && navigator.canShare?.({ files: [new File([], "story.png", { type: "image/png" })] })) {
        what.files = [new File([await this.makePicture()], "story.png", { type: "image/png" })];
      }
      await navigator.share(what);
    } catch (problem) {
      if (problem.name !== "AbortError") this.say("nothing_made", { why: problem.message });
    }
  }

  showLarge() {
    const dialog = this.part("large");
    dialog.querySelector("img").src = this.part("code").src;
    dialog.querySelector("img").alt = this.language.say("code");
    dialog.showModal();
  }

  // Downloads the Blob that `make` returns; without a Blob the print window makes the file.
  async save(make, title, kind) {
    const progress = kind === "pdf" ? "print" : "making";
    this.say(progress);
    try {
      const blob = await this.during("making_for", make);
      const name = `${fileName(title)}.${kind}`;
      if (blob) download(blob, name);
      this.say(blob ? "made" : progress, { name });
    } catch (problem) {
      this.sayWhy(problem);
    }
  }

  // The book

  add(stories) {
    this.book.stories.push(...stories);
    this.keepBook();
    this.showBook();
    this.say("book_has", { n: this.book.stories.length });
  }

  // The book's entry of this story: its link, or the story if it is too long for a link.
  get entry() {
    const { title, author, text } = this;
    return { title, author, ...(text ? { link: text } : { story: this.sharing.value() }) };
  }

  async saveBook(kind) {
    const { title, stories } = this.book,
      { files } = this;
    const make = async () => {
      const book = bookOf(await this.storiesOfBook(), title);
      return kind === "epub" ? files.epub(book) : files.print(book);
    };
    await this.save(make, title.trim() || stories[0].title || "book", kind);
  }

  // Returns the book's stories for `files`. Throws an Error that names an unreadable entry.
  async storiesOfBook() {
    const { stories } = this.book,
      { language, sharing } = this,
      shared = [];
    if (stories.length > STORIES_MAX)
      throw new Error(language.say("book_full", { n: stories.length, max: STORIES_MAX }));
    for (const entry of stories) {
      try {
        shared.push(await sharing.storyOf(entry));
      } catch (problem) {
        const why = problem.message || language.say("lost");
        throw new Error(language.say("book_story", { k: shared.length + 1, why }));
      }
    }
    return shared;
  }

  // Adds a list of links (book_lines.js). Lines that are not links stay in the field.
  async addLinks() {
    const { good, bad } = linesOf(this.field("book-links").value, await this.sharing.reader());
    this.add(good);
    this.field("book-links").value = bad.map(({ line }) => line).join("\n");
    if (!bad.length) return;
    const { language } = this;
    const [{ number, why, values }] = bad;
    const left = bad.length > 1 ? ` ${language.say("book_more_bad", { n: bad.length - 1 })}` : "";
    this.part("share-note").textContent =
      `${language.say("book_bad", { k: number, why: language.say(why, values), n: good.length })}${left}`;
    this.field("book-links").focus();
  }

  remove(number) {
    this.book.stories.splice(number - 1, 1);
    this.keepBook();
    this.showBook();
  }

  keepBook() {
    this.book.title = this.field("book-title").value;
    if (!storage.local.set(BOOK, JSON.stringify(this.book))) this.stories.fail("full");
  }

  showBook() {
    const { stories } = this.book;
    this.part("book-count").textContent = stories.length ? `(${stories.length})` : "";
    for (const button of this.element.querySelectorAll("[data-book]")) button.disabled = !stories.length;
    this.part("book-list").replaceChildren(
      ...stories.map(({ link = "", title, author }, k) => {
        const name = [title || `…${link.slice(-24)}`, author].filter(Boolean).join(", ");
        const label = `${this.language.say("prune")}: ${name}`;
        const remove = { type: "button", className: "quiet", "data-remove": String(k + 1), "aria-label": label };
        return make("li", {}, make("span", {}, name), make("button", remove, "✕"));
      }),
    );
  }
}

const bookIn = (kept) => (Array.isArray(kept?.stories) ? kept : null);
