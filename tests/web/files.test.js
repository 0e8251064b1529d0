// What a story becomes: its words, files, a ZIP file, an e-book.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { ROOT, json, web } from "./modules.js";
import { recordOf, storiesOf, tokensOf } from "./stories.js";

const { paragraphs, sharedStory } = await web("story/shared_story");
const { zip } = await web("share/zip");
const { bookOf } = await web("share/book");
const { fileName } = await web("share/file_name");
const { StoryFiles } = await web("share/files");
const { directionOf, linesOf, shortened } = await web("share/text_lines");

const USUAL = { temperature: 0.8, top_k: 40, top_p: 1, min_p: 0, repetition_penalty: 1 };

const ROWS = json("tests/web/stories.json"),
  STORIES = storiesOf(ROWS, sharedStory);
const read = async (name) => readFileSync(new URL(`playground/web/${name}`, ROOT), "utf-8");

function written(runs, owners) {
  const tokens = owners.map((r, k) => ({ t: k ? ` word${k}` : "\nOnce", s: 1, i: k, r }));
  return { tokens, runs, model: "tiny", fingerprint: "0123" };
}

// `record`: what the source says of a story.
function filesOf(record = null) {
  const files = new StoryFiles("https://example.org/", { record });
  files.text = read;
  return files;
}

test("a story says who wrote it and how", () => {
  const runs = [
    { settings: USUAL, seed: 7 },
    { settings: { ...USUAL, top_k: 0 }, seed: 8 },
  ];
  const about = { title: "A title", author: "Ann", link: "https://example.org/?story=x" };
  const story = sharedStory(written(runs, [-1, 0, 0]), about);
  assert.equal(story.text, "Once word1 word2");
  assert.equal(story.byline, "Ann and tiny");
  assert.equal(story.settings, "temperature 0.8, top-k 40, seed 7");
  assert.equal(sharedStory(written(runs, [-1, 1, 0]), { ...about, author: "" }).byline, "tiny");
  assert.equal(
    sharedStory(written(runs, [-1, 1, 0]), about).settings,
    "temperature 0.8, top-k all, seed 8, and 1 more",
  );
  assert.equal(sharedStory(written(runs, [-1]), about).settings, "written by hand");
});

test("settings that are not the usual ones are named", () => {
  const runs = [
    { settings: { ...USUAL, top_p: 0.9, repetition_penalty: 1.2, length: 200 }, seed: 1 },
    { settings: { ...USUAL, top_p: 0.9, repetition_penalty: 1.2, length: 8 }, seed: 1 }, // only longer
  ];
  const { settings } = sharedStory(written(runs, [0, 1]), { title: "", author: "", link: "" });
  assert.equal(settings, "temperature 0.8, top-k 40, top-p 0.9, repetition-penalty 1.2, seed 1");
});

test("a story is called by its beginning or as somebody says", () => {
  const titleOf = (text, title = "") =>
    sharedStory({ tokens: [{ t: text, r: -1 }], runs: [], model: "tiny" }, { title, author: "", link: "" }).title;
  assert.equal(titleOf("The moon was lonely.\nIt sang."), "The moon was lonely");
  assert.equal(titleOf("x", " A  moon\n"), "A moon");
  assert.equal(titleOf(" "), "A story");
  assert.equal(
    titleOf("Once upon a time, there was a little fox who lived in a tree."),
    "Once upon a time, there was a little fox who…",
  );
  assert.equal(titleOf("x", "x".repeat(500)).length, 120);
  assert.equal(titleOf("x", "a\u0000b\u202ec\ud800d"), "a b c d");
});

test("a book says whose it is", () => {
  const by = (...authors) => bookOf(authors.map((author) => ({ author, model: "tiny", title: "One" }))).by;
  assert.equal(by("Lily", "Tom", "Lily"), "Lily and Tom");
  assert.equal(by("A", "B", "C", "D"), "A, B, C and D");
  assert.equal(by("A", "B", "C", "D", "E", "F", "G"), "A, B, C and 4 others");
  assert.equal(by(""), "tiny");
  assert.equal(bookOf([{ title: "One" }], " Ours ").title, "Ours");
  assert.equal(bookOf([{ title: "One" }]).title, "One");
});

test("a title becomes the name of a file that every system takes", () => {
  for (const [title, name] of [
    ["Ein Märchen", "ein-märchen"],
    ["Cafe\u0301", "café"],
    ["हिन्दी की कहानी", "हिन्दी-की-कहानी"],
    ["เรื่องเล่า", "เรื่องเล่า"],
    ["../../etc/passwd", "etc-passwd"],
    ["Dots...", "dots"],
    ["The end. ", "the-end"],
    ["…", "story"],
    ["", "story"],
    ["CON", "con-story"],
    ["nul.", "nul-story"],
    ["Com¹", "com¹-story"],
    ["lpt9", "lpt9-story"],
    ["Console", "console"],
    [`${"a".repeat(59)}कि`, "a".repeat(59)], // no letter without its marks
  ])
    assert.equal(fileName(title), name);
});

test("lines end where the script allows it, and hold the whole text", () => {
  const at = (text, column, most) =>
    linesOf(text, column, (start, end) => [...text.slice(start, end)].length, most).map(([start, end]) =>
      text.slice(start, end),
    );
  assert.deepEqual(at("The fox  ran home.\n\nIt slept.", 9), ["The fox", "ran home.", "", "It slept."]);
  assert.deepEqual(at("从前有一只小狐狸。他说：“你好！”", 9), ["从前有一只小狐狸。", "他说：“你好！”"]);
  assert.deepEqual(at("👩‍🚀👍🏽🇩🇪", 4), ["👩‍🚀", "👍🏽🇩🇪"]); // a whole emoji stays whole
  assert.deepEqual(at("aaaaaaaaaa bb", 4), ["aaaa", "aaaa", "aa", "bb"]);
  assert.deepEqual(at("no\u00a0break here", 9), ["no\u00a0break", "here"]);
  assert.deepEqual(at("one two three", 3, 2), ["one", "two"]);
  for (const { text } of STORIES) {
    const whole = text.slice(0, 3000),
      joined = at(whole, 20).join("");
    assert.equal(joined.replace(/\s/g, ""), whole.replace(/\s/g, ""));
    for (const line of at(whole, 20)) assert.ok([...line].length <= 20 || /^\S+$/.test(line), line);
  }
});

test("a text that is too long ends with a sentence or a word", () => {
  const text = 'The fox ran. "Stop!" said the bird. It flew away over the hills and the trees.';
  assert.equal(shortened(text, 40), 'The fox ran. "Stop!" said the bird.\u00a0…');
  assert.equal(shortened("word ".repeat(40), 22), "word word word word…");
  assert.equal(shortened("从前有一只小狐狸。他住在森林里。", 12), "从前有一只小狐狸。\u00a0…");
  for (let most = 2; most < text.length; most += 1) assert.ok(shortened(text, most).length <= most + 1);
});

test("a text runs as its first letter does", () => {
  for (const [text, direction] of [
    ["كان Tom", "rtl"],
    ["שועל", "rtl"],
    ["«Tom» كان", "ltr"],
    ["3 ثعالب", "rtl"],
    ["一只", "ltr"],
    ["", "ltr"],
  ]) {
    assert.equal(directionOf(text), direction, text);
  }
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
    const length = bytes.readUInt16LE(at + 28),
      head = bytes.readUInt32LE(at + 42);
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
  const files = [
    ["mimetype", "text"],
    ["a/ß.txt", "Zoë 🦊"],
    ["bytes", Uint8Array.of(0, 255, 7)],
    ["empty", ""],
  ];
  const blob = zip(files, "application/zip");
  assert.equal(blob.type, "application/zip");
  const entries = await entriesOf(blob);
  assert.deepEqual(
    [...entries.keys()],
    files.map(([name]) => name),
  );
  assert.equal(entries.get("a/ß.txt").toString(), "Zoë 🦊");
  assert.deepEqual([...entries.get("bytes")], [0, 255, 7]);
  assert.equal(entries.get("empty").length, 0);
  assert.deepEqual(await blob.bytes(), await zip(files, "application/zip").bytes());
});

// Node has no canvas: this one measures letters and gives a picture of one byte.
function withCanvas() {
  const context = new Proxy(
    {},
    {
      get: (target, name) => target[name] ?? (name === "then" ? undefined : () => undefined), // no promise
      set: (target, name, value) => Reflect.set(target, name, value),
    },
  );
  context.measureText = (text) => ({ width: 10 * text.length });
  const canvas = { getContext: () => context, toBlob: (resolve) => resolve(new Blob([Uint8Array.of(137)])) };
  context.canvas = canvas;
  globalThis.document = { fonts: { load: async () => [] }, createElement: () => canvas };
}

test("an e-book's pages hold the words as text", async () => {
  withCanvas();
  const hostile = `Tom said <script>alert("x")</script> & {title} \u001b👩‍🚀\u00a0🦊`;
  const story = {
    title: `A </title> & 'one' {body}`,
    author: "Ann <b>",
    byline: "Ann <b> and tiny",
    model: "tiny",
    settings: "temperature 0.8",
    text: `${hostile}\n\nThe end.`,
    link: "https://example.org/?story=x&y",
  };
  const files = filesOf(),
    book = await files.file("epub", story);
  assert.equal(book.type, "application/epub+zip");
  const entries = await entriesOf(book);
  assert.equal([...entries.keys()][0], "mimetype");
  assert.equal(entries.get("mimetype").toString(), "application/epub+zip");
  const page = entries.get("book/story1.xhtml").toString();
  assert.ok(
    page.includes("Tom said &lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; {title} 👩‍🚀\u00a0🦊</p>"),
    page,
  );
  assert.ok(page.includes("A &lt;/title&gt; &amp; &#x27;one&#x27; {body}"));
  assert.ok(page.includes('<a href="https://example.org/?story=x&amp;y">'));
  for (const [name, content] of entries) {
    if (/\.(xhtml|opf|xml)$/.test(name)) assert.ok(!/<script|undefined|\u001b/.test(content.toString()), name);
  }
  assert.ok(entries.get("book/book.opf").toString().includes("Ann &lt;b&gt;"));
  assert.equal(entries.get("book/cover.png")[0], 137);
  assert.match(page, /<html [^>]*lang="en" xml:lang="en" dir="ltr"/);
});

test("a book has every story in its language, with contents", async () => {
  withCanvas();
  const entries = await entriesOf(await filesOf().epub(bookOf(STORIES, "Ours & <theirs>")));
  const texts = new Map([...entries].map(([name, data]) => [name, data.toString()]));
  const headOf = (k) => /<html [^>]*xml:lang="(\w+)" dir="(\w+)"/.exec(texts.get(`book/story${k}.xhtml`)).slice(1);
  assert.deepEqual([1, 2, 4, 5, 6].map(headOf), [
    ["en", "ltr"],
    ["de", "ltr"],
    ["zh", "ltr"],
    ["ar", "rtl"],
    ["hi", "ltr"],
  ]);
  const whole = texts.get("book/book.opf");
  assert.equal(whole.match(/<item id="page/g).length, STORIES.length);
  assert.equal(whole.match(/<itemref idref="page/g).length, STORIES.length);
  assert.match(whole, /<dc:title>Ours &amp; &lt;theirs&gt;<.*Ann, Jörg Weiß, Lily 🦊 and \d+ others/s);
  const contents = texts.get("book/contents.xhtml");
  assert.deepEqual(
    [...contents.matchAll(/href="(\w+)\.xhtml"/g)].map(([, name]) => name),
    STORIES.map((_, k) => `story${k + 1}`),
  );
  assert.ok(contents.includes(">小狐狸的故事</a>"));
});

test("text and Markdown hold every story as it is", async () => {
  const files = filesOf();
  for (const story of STORIES) {
    const plain = await (await files.file("txt", story)).text(),
      lines = plain.split("\n");
    assert.deepEqual(lines.slice(0, 3), [story.title, story.byline, ""]);
    assert.ok(plain.includes(`\n\n${story.text}\n\ntiny: `));
    const marked = await (await files.file("md", story)).text();
    assert.equal(marked.replace(/\\([\\`*_{}[\]<>()#+.!|~^&$=:-])/g, "$1").split("\n\n")[2], paragraphs(story.text)[0]);
    assert.doesNotMatch(
      marked.replace(/\[Open it\]\(.*\)\n$/, "").replace(/^# |^\*.*\*$|^---$/gm, ""),
      /(?<!\\)[*_<>#]/,
    );
  }
});

test("the record is asked for in the parts that a model wrote", async () => {
  for (const [k, story] of STORIES.entries()) {
    const asked = [],
      tokens = tokensOf(ROWS[k][2]);
    const files = filesOf((request) => {
      asked.push(request);
      return recordOf(tokens);
    });
    const blob = await files.file("json", story),
      record = JSON.parse(await blob.text());
    assert.equal(blob.type, "application/json;charset=utf-8");
    assert.equal(
      record.tokens
        .map((token) => token.text)
        .join("")
        .trim(),
      story.text,
    );
    const { title, author, link, schema, model, prompt } = record;
    assert.deepEqual(
      [title, author, link, schema, model, prompt],
      [story.title, story.author, story.link, 2, "0123", ""],
    );
    const [{ ids, parts }] = asked;
    assert.deepEqual(
      ids,
      tokens.map(({ i }) => i),
    );
    const wrote = { from: 2, to: tokens.length, position: 0, begins: "", beyond: false };
    assert.deepEqual(
      parts.map(({ settings, ...part }) => part),
      tokens.length > 2 ? [wrote] : [],
    );
    assert.ok(parts.every(({ settings }) => settings.seed === 7 && settings.temperature === 0.8));
  }
});

test("a story without a link is saved without one", async () => {
  withCanvas();
  const files = filesOf(),
    about = { title: "A title", author: "Ann", link: "" };
  const story = sharedStory(written([{ settings: USUAL, seed: 7 }], [-1, 0]), about);
  const text = async (kind, changes = {}) => (await files.file(kind, { ...story, ...changes })).text();
  assert.equal(await text("txt"), "A title\nAnn and tiny\n\nOnce word1\n\ntiny: temperature 0.8, top-k 40, seed 7\n");
  assert.doesNotMatch(await text("md"), /Open it/);
  const link = "https://example.org/?story=x";
  assert.match(await text("txt", { link }), /seed 7\nhttps:\/\/example.org\/\?story=x\n$/);
  assert.match(await text("md", { link }), /seed 7\. \[Open it\]\(https:\/\/example.org\/\?story=x\)\n$/);
  for (const [name, content] of await entriesOf(await files.file("epub", story)))
    assert.doesNotMatch(content.toString("utf-8"), /Open it/, name);
  assert.equal(await files.code(""), null);
});
