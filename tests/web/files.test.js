// What a story becomes without a server: its words, a ZIP file, an e-book.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ROOT, own, web } from "./modules.js";

const { paragraphs, sharedStory } = await web("shared_story");
const { zip } = await own("zip");
const { epub } = await own("epub");

const USUAL = { temperature: 0.8, top_k: 40, top_p: 1, min_p: 0, repetition_penalty: 1 };

function writerOf(runs, owners) {
  const tokens = owners.map((r, k) => ({ t: k ? ` word${k}` : "\nOnce", s: 1, i: k, r }));
  return { doc: { runs }, tokens, model: { name: "tiny", fingerprint: "0123" } };
}

test("a story says who wrote it and how", () => {
  const runs = [{ settings: USUAL, seed: 7 }, { settings: { ...USUAL, top_k: 0 }, seed: 8 }];
  const about = { title: "A title", author: "Ann", link: "https://example.org/?story=x" };
  const story = sharedStory(writerOf(runs, [-1, 0, 0]), about);
  assert.equal(story.text, "Once word1 word2");
  assert.equal(story.byline, "Ann and tiny");
  assert.equal(story.settings, "temperature 0.8, top-k 40, seed 7");
  assert.equal(sharedStory(writerOf(runs, [-1, 1, 0]), { ...about, author: "" }).byline, "tiny");
  assert.equal(sharedStory(writerOf(runs, [-1, 1, 0]), about).settings, "temperature 0.8, top-k all, seed 8, and 1 more");
  assert.equal(sharedStory(writerOf(runs, [-1]), about).settings, "written by hand");
});

test("settings that are not the usual ones are named", () => {
  const runs = [
    { settings: { ...USUAL, top_p: 0.9, repetition_penalty: 1.2, length: 200 }, seed: 1 },
    { settings: { ...USUAL, top_p: 0.9, repetition_penalty: 1.2, length: 8 }, seed: 1 }, // only longer
  ];
  const { settings } = sharedStory(writerOf(runs, [0, 1]), { title: "", author: "", link: "" });
  assert.equal(settings, "temperature 0.8, top-k 40, top-p 0.9, repetition-penalty 1.2, seed 1");
});

test("paragraphs are the lines with words", () => {
  assert.deepEqual(paragraphs(" One.\n\n  \nTwo. \r\n"), ["One.", "Two."]);
});

// The entries of a ZIP file by name, read as a reader does: from the directory at its end.
async function entriesOf(blob) {
  const bytes = Buffer.from(await blob.arrayBuffer());
  const end = bytes.length - 22;
  assert.equal(bytes.readUInt32LE(end), 0x06054b50);
  const entries = new Map();
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    assert.equal(bytes.readUInt32LE(at), 0x02014b50);
    const length = bytes.readUInt16LE(at + 28), head = bytes.readUInt32LE(at + 42);
    const name = bytes.toString("utf-8", at + 46, at + 46 + length);
    assert.equal(bytes.readUInt32LE(head), 0x04034b50);
    assert.equal(bytes.toString("utf-8", head + 30, head + 30 + bytes.readUInt16LE(head + 26)), name);
    const data = bytes.subarray(head + 30 + length, head + 30 + length + bytes.readUInt32LE(at + 24));
    assert.equal(bytes.readUInt16LE(at + 10), 0, "stored as it is");
    assert.equal(bytes.readUInt32LE(at + 16), crc32(data));
    assert.equal(bytes.readUInt32LE(head + 14), crc32(data));
    entries.set(name, data);
    at += 46 + length;
  }
  assert.equal(at, end);
  return entries;
}

test("a ZIP file holds its entries in their order", async () => {
  const files = [["mimetype", "text"], ["a/ß.txt", "Zoë 🦊"], ["bytes", Uint8Array.of(0, 255, 7)], ["empty", ""]];
  const blob = zip(files, "application/zip");
  assert.equal(blob.type, "application/zip");
  const entries = await entriesOf(blob);
  assert.deepEqual([...entries.keys()], files.map(([name]) => name));
  assert.equal(entries.get("a/ß.txt").toString(), "Zoë 🦊");
  assert.deepEqual([...entries.get("bytes")], [0, 255, 7]);
  assert.equal(entries.get("empty").length, 0);
  assert.deepEqual(await blob.bytes(), await zip(files, "application/zip").bytes());
});

// Node has no canvas: this one measures letters and gives a picture of one byte.
function withCanvas() {
  const context = new Proxy({}, {
    get: (target, name) => target[name] ?? (name === "then" ? undefined : () => undefined), // no promise
    set: (target, name, value) => Reflect.set(target, name, value),
  });
  context.measureText = (text) => ({ width: 10 * text.length });
  const canvas = { getContext: () => context, toBlob: (resolve) => resolve(new Blob([Uint8Array.of(137)])) };
  context.canvas = canvas;
  globalThis.document = { fonts: { load: async () => [] }, createElement: () => canvas };
}

test("an e-book's pages hold the words as text", async () => {
  withCanvas();
  const hostile = `Tom said <script>alert("x")</script> & {title} \u001b👩‍🚀\u00a0🦊`;
  const story = {
    title: `A </title> & 'one' {body}`, author: "Ann <b>", byline: "Ann <b> and tiny", model: "tiny", settings: "temperature 0.8",
    text: `${hostile}\n\nThe end.`, link: "https://example.org/?story=x&y",
  };
  const part = async (name) => readFileSync(new URL(`playground/web/${name}`, ROOT), "utf-8");
  const book = await epub(story, part);
  assert.equal(book.type, "application/epub+zip");
  const entries = await entriesOf(book);
  assert.equal([...entries.keys()][0], "mimetype");
  assert.equal(entries.get("mimetype").toString(), "application/epub+zip");
  const page = entries.get("book/story1.xhtml").toString();
  assert.ok(page.includes("<p>Tom said &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; {title} 👩‍🚀\u00a0🦊</p><p>The end.</p>"), page);
  assert.ok(page.includes("A &lt;/title&gt; &amp; &#x27;one&#x27; {body}"));
  assert.ok(page.includes('<a href="https://example.org/?story=x&amp;y">'));
  for (const [name, content] of entries) {
    if (/\.(xhtml|opf|xml)$/.test(name)) assert.ok(!/<script|undefined|\u001b/.test(content.toString()), name);
  }
  assert.ok(entries.get("book/book.opf").toString().includes("Ann &lt;b&gt;"));
  assert.equal(entries.get("book/cover.png")[0], 137);
  assert.match(page, /<html [^>]*lang="en" xml:lang="en" dir="ltr"/);
  const arabic = await entriesOf(await epub({ ...story, text: "كان هناك ثعلب صغير" }, part));
  assert.match(arabic.get("book/story1.xhtml").toString(), /<html [^>]*lang="ar" xml:lang="ar" dir="rtl"/);
  assert.match(arabic.get("book/book.opf").toString(), /<dc:language>ar<.*page-progression-direction="rtl"/s);
});

test("a story without a link is saved without one", async () => {
  const { StoryFiles } = await own("files");
  const files = new StoryFiles("https://example.org/", null);
  const about = { title: "A title", author: "Ann", link: "" };
  const story = sharedStory(writerOf([{ settings: USUAL, seed: 7 }], [-1, 0]), about);
  const text = async (kind, changes = {}) => (await files.file(kind, { ...story, ...changes })).text();
  assert.equal(await text("txt"), "A title\nAnn and tiny\n\nOnce word1\n\ntiny: temperature 0.8, top-k 40, seed 7\n");
  assert.doesNotMatch(await text("md"), /Open it/);
  const link = "https://example.org/?story=x";
  assert.match(await text("txt", { link }), /seed 7\nhttps:\/\/example.org\/\?story=x\n$/);
  assert.match(await text("md", { link }), /seed 7\. \[Open it\]\(https:\/\/example.org\/\?story=x\)\n$/);
  const read = async (name) => readFileSync(new URL(`playground/web/${name}`, ROOT), "utf-8");
  const pages = await entriesOf(await epub(story, read));
  for (const [name, content] of pages) assert.doesNotMatch(content.toString("utf-8"), /Open it/, name);
  assert.equal(files.code(""), null);
});
