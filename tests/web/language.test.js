// The words of the page, and what is shown of a token.

import assert from "node:assert/strict";
import { test } from "node:test";
import { json, web } from "./modules.js";

const { Language } = await web("editor/language");
const { label } = await web("sampling/bars");
const { isLocal } = await web("share/share_panel");

const texts = json("playground/web/text.json");

test("the reader's first language that the page has is chosen", () => {
  assert.equal(new Language(texts, ["fr-FR", "de-AT", "en"]).code, "de");
  assert.equal(new Language(texts, ["es-MX"]).code, "es");
  assert.equal(new Language(texts, ["fr"]).code, "en");
  assert.equal(new Language(texts, undefined).code, "en");
  assert.equal(new Language(texts, ["en-GB"]).next, "de");
  assert.equal(new Language(texts, ["de"]).next, "es");
  assert.equal(new Language(texts, ["es"]).next, "en");
});

test("values are put into a text, numbers as the language writes them", () => {
  const language = new Language({ en: { a: "{n} of {max}, {other}" }, de: { a: "{n} von {max}" } }, ["en"]);
  assert.equal(language.say("a", { n: 14755, max: "<b>" }), "14,755 of <b>, {other}");
  language.code = "de";
  assert.equal(language.say("a", { n: 14755, max: 1 }), "14.755 von 1");
});

test("a text that a language lacks is English, and a key that none has is shown", () => {
  const language = new Language({ en: { a: "A" }, de: {} }, ["de"]);
  assert.equal(language.say("a"), "A");
  assert.equal(language.say("b"), "b");
});

test("a token without letters has a mark", () => {
  assert.deepEqual(["", "\n", " ", "  ", "\t", " said", "“"].map(label), ["·", "↵", "␣", "␣␣", "⇥", "said", "“"]);
});

test("an address of this computer is local", () => {
  for (const address of ["http://localhost:7860/", "http://127.0.0.1/s/x", "http://[::1]:7860/"])
    assert.ok(isLocal(address));
  for (const address of ["http://192.168.1.5:7860/", "https://localhost.example.org/"]) assert.ok(!isLocal(address));
});
