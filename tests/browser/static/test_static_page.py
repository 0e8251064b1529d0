"""The page without a server, in Chromium: Python's stories, offline, and what goes wrong."""

from __future__ import annotations

import functools
import itertools
import json
import random
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from playground.browser.build import page_of, write
from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.model.folder import ModelFolder
from playground.sampling import Settings
from playground.stories.permalink import decode, text_of
from tests.browser.actions import button, link_of, text
from tests.browser.static.site import LOADED, begin, opened, served
from tests.browser.test_page import DESK, PHONE, generate
from tests.browser.test_sharing import violations
from tests.paths import ROOT

SAMPLE = ROOT / "trainer" / "corpus" / "sample.jsonl"
READY = "inkling-writer[ready]"
# Everything that chooses a token; at temperature 2 the last digit of 50,257 odds decides, see
# docs/browser.md.
FROM_ALL: dict[str, Any] = {"top_k": 0, "temperature": 1}
CHOICES: list[dict[str, Any]] = [
    {}, {"temperature": 1.3, "top_k": 100, "top_p": 0.95}, {"temperature": 0},
    {"min_p": 0.05, "top_k": 0, "temperature": 1}, FROM_ALL,
    {"repetition_penalty": 1.3}, {"banned_words": ("the", "was")},
]  # fmt: skip
TELL = """async ([ids, text, settings, seeds]) => {
  const { source, model } = document.querySelector("inkling-writer");
  const asked = { model: model.name, ids, text, settings, seeds };
  const request = { ...asked, token_id: null, opening: -1, beyond_end: false };
  const streams = seeds.map(() => []);
  let typed = 0, ended = [];
  for await (const message of source.write(request, new AbortController().signal)) {
    for (const [stream, , , its] of message.new) streams[stream].push(...its);
    typed = message.typed ?? typed;
    ended = message.ended ?? ended;
  }
  streams[0] = streams[0].slice(typed);
  return { streams, ended };
}"""


def told(engine: Engine, prompt: str, settings: Settings) -> list[int]:
    return [token.token_id for token in engine.write(prompt, settings)]


def test_the_same_seed_tells_the_same_story_as_in_python(page: Page, engine: Engine) -> None:
    prompts = ["Once upon a time", "The moon was lonely ", "", "“No!” said Zoë, the café cat"]
    asked, parted = list(itertools.product(CHOICES, range(5))), []
    for number, (choice, seed) in enumerate(asked):
        prompt, settings = prompts[number % 4], Settings(length=40, **choice)
        values = json.loads(json.dumps(asdict(settings)))
        (found,) = page.evaluate(TELL, [[], prompt, values, [seed]])["streams"]
        expected = told(engine, prompt, Settings(**asdict(settings) | {"seed": seed}))
        if found != expected:
            parted.append(choice)
    assert len(asked) == 35
    assert parted in ([], [FROM_ALL])  # where the last digit of 50,257 odds can decide


def test_eight_at_once_and_a_long_story_are_python_s_too(page: Page, engine: Engine) -> None:
    settings = Settings(length=40)
    values = json.loads(json.dumps(asdict(settings)))
    prompt = "One day a cat found a red ball. " * 3
    seeds = list(range(7, 15))
    found = page.evaluate(TELL, [[], prompt, values, seeds])["streams"]
    assert found == [
        told(engine, prompt, Settings(**asdict(settings) | {"seed": seed})) for seed in seeds
    ]
    # Beyond the 512 tokens that it sees.
    settings = Settings(length=700, stop_at_end=False, seed=3)
    values = json.loads(json.dumps(asdict(settings)))
    (found,) = page.evaluate(TELL, [[], "Once", values, [3]])["streams"]
    assert found == told(engine, "Once", settings)


@pytest.mark.parametrize("page", [PHONE, DESK], indirect=True)
def test_a_person_writes_with_it(page: Page) -> None:
    begin(page, "The moon was lonely")
    story = generate(page)
    assert story.startswith("The moon was lonely")
    page.locator("#ink-odds").check()
    page.locator(".sheet span").nth(3).click()
    expect(page.locator(".card .bars button").first).to_be_visible()
    page.locator(".card .bars button").nth(1).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    button(page, "Show me eight").click()
    expect(page.locator(".choices li")).to_have_count(8)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert violations(page) == []


def test_a_link_opens_in_both_worlds(page: Page, engine: Engine, address: str) -> None:
    begin(page, "A little girl had a kite")
    story = generate(page)
    link = link_of(page)
    assert link.startswith(f"{address}?story=")
    assert replay(engine, decode(text_of(link))).verdict == "Reproduced exactly."
    other = page.context.new_page()
    opened(other, link)
    expect(other.locator(".live")).to_contain_text("Reproduced exactly")
    assert text(other) == story


def test_its_tokenizer_is_the_model_s(page: Page, engine: Engine) -> None:
    draws = random.Random(0)
    parts = [
        " ", "  ", "\n", "\r\n", "\t", "'s", "'S", "\u2019s", "a", "Zoe\u0308", "\u00e9", "\u00df",
        "\u01c6", "\u0130", "\u0915\u093f", "\u0924\u093e\u092c", "\u4f60\u597d", "\U0001f98a",
        "\U0001f469\u200d\U0001f467", "\u200b", "\ufeff", "\u0085", "\u00a0", "\u3000", "12",
        "3\u00bd", "\u0663", "don't", "<|endoftext|>", "<|endoftext", "|>", "_", "--", "...",
        "\u2028", "\x00", "\x1c", "\U0001d518", "\ufb01",
    ]  # fmt: skip
    texts = ["".join(draws.choices(parts, k=draws.randint(1, 12))) for _ in range(3_000)]
    letters_of_any_kind = [*range(1, 0xD800), *range(0xE000, 0x110000)]
    texts += ["".join(map(chr, draws.choices(letters_of_any_kind, k=8))) for _ in range(1_000)]
    with SAMPLE.open(encoding="utf-8") as lines:
        texts += [json.loads(line)["text"] for line in lines]
    found = page.evaluate(
        """async (texts) => {
          const load = (name) => import(new URL(`browser/${name}.js`, location.href));
          const { unpacked, idsAt } = await load("kernel"), { Tokenizer } = await load("tokenizer");
          const begin = await (await fetch("start.json")).json();
          const weights = await (await fetch(begin.model.weights)).arrayBuffer();
          const { header, data } = unpacked(weights), table = header.tokenizer;
          const [merges, made] = [idsAt(data, table.merges), idsAt(data, table.made)];
          const tokenizer = new Tokenizer({ ...table, merges, made }, header.vocabulary);
          return texts.map((text) => {
            const ids = tokenizer.encode(text), add = tokenizer.letterByLetter();
            return [ids, ids.map(add).join("")];
          });
        }""",
        texts,
    )
    model = engine.storyteller
    for one, (ids, back) in zip(texts, found, strict=True):
        assert ids == model.encode(one), repr(one)
        letters = model.letters()
        assert back == "".join(map(letters.add, ids)), repr(one)


def test_it_opens_again_without_a_connection(browser: Browser, tiny: Path) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with served(tiny) as (address, stop):
        opened(page, address)
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        stop()
        page.reload()
        page.wait_for_function(LOADED)
        begin(page, "Once")
        assert generate(page).startswith("Once")
        other = context.new_page()  # a second tab, also without a connection
        opened(other, address)
        assert len(text(other)) > 4
    context.close()


def test_another_model_takes_the_place_of_the_old_one(
    browser: Browser, export: Any, tmp_path: Path
) -> None:
    out = tmp_path / "page"
    write(page_of(ModelFolder.open(export("first"), device="cpu")), out)
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with served(out) as (address, _):
        opened(page, address)
        page.evaluate("navigator.serviceWorker.ready.then(() => null)")
        before = page.evaluate("document.querySelector('inkling-writer').model.fingerprint")
        second = export("second", hidden_size=48)
        write(page_of(ModelFolder.open(second, device="cpu")), out)
        for _ in range(3):  # the old page is still shown once while the new one is fetched
            page.reload()
            page.wait_for_function(LOADED)
            page.evaluate("navigator.serviceWorker.getRegistration().then((one) => one.update())")
            page.wait_for_timeout(300)
        after = page.evaluate("document.querySelector('inkling-writer').model.fingerprint")
        assert after != before
        names = page.evaluate("caches.keys()")
        assert len(names) == 2, "one cache for the page, one for its model"
        assert (
            page.evaluate(
                "caches.open('inkling-models').then((one) => one.keys()).then((all) => all.length)"
            )
            == 1
        )
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (altered, "arrived damaged"),
        (lambda content: content[:1000], "did not arrive"),
        (lambda content: content + b"more", "did not arrive"),
        (None, "did not arrive"),
    ],
    ids=["altered", "cut off", "too long", "no connection"],
)
def test_a_model_that_does_not_arrive_whole_is_said_and_fetched_again(
    browser: Browser, tiny: Path, broken: Callable[[bytes], bytes] | None, sentence: str
) -> None:
    (weights,) = tiny.glob("*.inkling")
    context = browser.new_context(locale="en-GB")
    page = context.new_page()

    def answer(route: Route) -> None:
        if broken is None:
            route.abort()
        else:
            route.fulfill(body=broken(weights.read_bytes()))

    context.route("**/*.inkling", answer)
    with served(tiny) as (address, _):
        page.goto(address)
        expect(page.locator(".loading")).to_contain_text(sentence)
        expect(page.locator(READY)).to_have_count(1)  # the page itself is there
        context.unroute("**/*.inkling")
        button(page, "Try again").click()
        page.wait_for_function(LOADED)
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def test_a_browser_that_keeps_nothing_writes_all_the_same(browser: Browser, tiny: Path) -> None:
    context = browser.new_context(locale="en-GB", service_workers="block")
    context.add_init_script(
        "delete window.caches;"
        "Object.defineProperty(window, 'indexedDB', { get() { throw new Error('no') } })"
    )
    page = context.new_page()
    with served(tiny) as (address, _):
        opened(page, address)
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def answer_with(code: str, route: Route) -> None:
    route.fulfill(body=code, content_type="text/javascript")


def test_without_simd_plain_javascript_tells_the_same(browser: Browser, tiny: Path) -> None:
    context = browser.new_context(locale="en-GB", service_workers="block")
    values = json.loads(json.dumps(asdict(Settings(length=100, stop_at_end=False))))
    found = []
    with served(tiny) as (address, _):
        for simd in (True, False):
            page = context.new_page()
            if not simd:
                code = (tiny / "browser" / "worker.js").read_text(encoding="utf-8")
                code = code.replace("WebAssembly.validate(SIMD)", "false")
                context.route("**/worker.js", functools.partial(answer_with, code))
            page.goto(address)
            page.locator(READY).wait_for()
            found.append(page.evaluate(TELL, [[], "Once upon", values, [1, 2]])["streams"])
            if not simd:
                expect(page.locator(".loading")).to_contain_text("several times slower")
    assert found[0] == found[1]
    assert len(found[0][0]) == 100
    context.close()


def test_stories_that_share_a_beginning_are_those_of_each_alone(
    browser: Browser, tiny: Path
) -> None:
    """Eight read it where one has it. The model sees 64 tokens, so all slide their windows; then
    stories branch off one of the eight, twice, and one of the others goes on."""
    context = browser.new_context(locale="en-GB", service_workers="block")
    prompt = "One day a cat found a red ball in the park and ran home."

    def ask(page: Page, ids: list[int], text: str, length: int, seeds: list[int]) -> list:
        values = asdict(Settings(length=length, stop_at_end=False))
        request = [ids, text, json.loads(json.dumps(values)), seeds]
        return page.evaluate(TELL, request)["streams"]

    with served(tiny) as (address, _):
        found = []
        for at_once in (8, 1):
            page = context.new_page()
            page.goto(address)
            page.locator(READY).wait_for()

            def write(ids: list[int], text: str, length: int, first: int, page: Page = page,
                      at_once: int = at_once) -> list[list[int]]:  # fmt: skip
                seeds = list(range(first, first + 8))
                parts = [seeds[k : k + at_once] for k in range(0, 8, at_once)]
                return [one for part in parts for one in ask(page, ids, text, length, part)]

            short = write([], prompt, 20, 0)
            long = write([], prompt, 90, 10)
            branch = write(short[3][:12], "", 30, 20)
            again = write(short[3][:12] + branch[5][:9], " Then", 60, 30)
            on = write(long[6][:40], "", 40, 40)
            found.append([short, long, branch, again, on])
            page.close()
    assert found[0] == found[1]
    context.close()


def test_weights_come_from_another_server(
    browser: Browser, export: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As from a model repository on the Hub, which answers pages of every origin."""
    model = ModelFolder.open(export("tiny"), device="cpu")
    whole = page_of(model)
    hub = tmp_path / "hub" / "ann" / "fox" / "resolve" / "main" / "browser"
    hub.mkdir(parents=True)
    (hub / whole.weights).write_bytes(whole.files[whole.weights])
    with served(tmp_path / "hub", origins="*") as (address, _):
        monkeypatch.setattr("playground.browser.build.HUB", address.rstrip("/"))
        there = page_of(model, weights_from="ann/fox")
        assert whole.weights not in there.files
        write(there, tmp_path / "page")
        with served(tmp_path / "page") as (own, _):
            context = browser.new_context()
            tab = context.new_page()
            opened(tab, own)
            begin(tab, "Once upon a time")
            assert generate(tab).startswith("Once upon a time")
            context.close()
