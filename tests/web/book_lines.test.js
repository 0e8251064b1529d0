// A class's links, one a line, as they come out of chats and mails.

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { linesOf } = await web("share/book_lines");
const { Sharing } = await web("share/sharing");

const [, { link, value }] = json("tests/playground/stories/permalink_vectors.json").good;
const address = `https://example.org/s/${link}`;
const model = { name: "tiny", fingerprint: value.model.repeat(4), tokenizer: "0a1b2c3d4e5f6071" };
const sharing = new Sharing({ models: [model], state: { now: { model } } });
sharing.commonIds = json("playground/web/story/common_tokens.json");
const read = await sharing.reader();

test("good lines are taken with their authors", () => {
  const { good, bad } = linesOf(`${address} Tom B.\n\n<${address}>, Zoë\n${link}\n(${address}) — Mia\n`, read);
  assert.deepEqual(
    good.map(({ author }) => author),
    ["Tom B.", "Zoë", "", "Mia"],
  );
  assert.ok(good.every((one) => one.link === link));
  assert.deepEqual(bad, []);
});

test("a bad line is told with its number and spoils no other", () => {
  const wrong = address.slice(0, -9);
  const { good, bad } = linesOf(`${address} Tom\nhttps://example.org/nothing Ann\n${address}\n${wrong}`, read);
  assert.deepEqual(
    good.map(({ author }) => author),
    ["Tom", ""],
  );
  assert.deepEqual(
    bad.map(({ number, line, why }) => [number, line, why]),
    [
      [2, "https://example.org/nothing Ann", "link_damaged"],
      [4, wrong, "link_damaged"],
    ],
  );
});

test("a link that a mail broke into lines is one", () => {
  const broken = address.replace(/.{70}/g, "$&\n");
  assert.deepEqual(
    linesOf(`${broken} Tom\n${address} Ann`, read).good.map(({ author }) => author),
    ["Tom", "Ann"],
  );
});

test("a link of a model with other tokens is not a line of the book", () => {
  const { good } = json("tests/playground/stories/permalink_vectors.json");
  const other = good.find((one) => one.value.tokenizer === "ffff");
  const {
    bad: [one],
  } = linesOf(other.link, read);
  assert.deepEqual([one.number, one.why, one.values], [1, "link_tokenizer", { name: "Füchslein" }]);
  const same = good.find((one) => one.value.tokenizer === "0a1b");
  assert.equal(linesOf(same.link, read).good.length, 1);
});
