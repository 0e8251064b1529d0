"""The page without a server, in Chromium: Python's stories, offline, and what goes wrong."""

from __future__ import annotations

import functools
import json
import re
import shutil
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from playground.browser.build import page_of, write
from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings
from playground.stories.permalink import decode, text_of
from tests.browser.actions import (
    DESK,
    PHONE,
    button,
    generate,
    link_of,
    text,
    until_kept,
    violations,
)
from tests.browser.static.site import LOADED, begin, opened, served

READY = "inkling-writer[ready]"
TELL = """async ([ids, text, settings, seeds]) => {
  const { source, state } = document.querySelector("inkling-writer"), { model } = state.now;
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


def values(settings: Settings) -> dict[str, Any]:
    """Settings as the page has them."""
    return json.loads(json.dumps(asdict(settings)))


def test_the_worker_writes_what_python_writes(page: Page, engine: Engine) -> None:
    """Eight stories at once; more of them are compared in
    tests/playground/browser/test_storyteller.py."""
    prompt, settings = "The moon was lonely ", Settings(length=20)
    seeds = list(range(7, 15))
    written = page.evaluate(TELL, [[], prompt, values(settings), seeds])["streams"]
    stories = [engine.write(prompt, replace(settings, seed=seed)) for seed in seeds]
    assert written == [[token.token_id for token in story] for story in stories]


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
    button(page, "Eight versions").click()
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
    expect(other.locator(".live")).to_contain_text("Verified: the model wrote exactly")
    assert text(other) == story


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
        until_kept(page)
        other = context.new_page()  # a second tab, also without a connection
        opened(other, address)
        assert len(text(other)) > 4
    context.close()


def is_new_after_visit(page: Page, kept: list[str]) -> bool:
    """Reload, and return whether the browser has the caches `kept` within five seconds."""
    page.reload()
    page.wait_for_function(LOADED)
    return page.evaluate(
        """async (kept) => {
          await (await navigator.serviceWorker.getRegistration()).update();
          for (let left = 100; left > 0; left -= 1) {
            if ((await caches.keys()).sort().join() === kept.join()) return true;
            await new Promise((resolve) => setTimeout(resolve, 50));
          }
          return false;
        }""",
        kept,
    )


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
        begin(page, "Once upon")
        story = generate(page)
        until_kept(page)
        before = page.evaluate(
            "document.querySelector('inkling-writer').state.now.model.fingerprint"
        )
        second = export("second", hidden_size=48)
        write(page_of(ModelFolder.open(second, device="cpu")), out)
        version = re.search(r'VERSION = "(\w+)"', (out / "sw.js").read_text(encoding="utf-8"))
        assert version is not None
        kept = [f"inkling-{version[1]} /", "inkling-models /"]
        # The old page is shown until a visit has fetched the new one and asked it to take over.
        visits = (is_new_after_visit(page, kept) for _ in range(20))
        assert any(visits), page.evaluate("caches.keys()")
        page.reload()
        page.wait_for_function(LOADED)
        after = page.evaluate(
            "document.querySelector('inkling-writer').state.now.model.fingerprint"
        )
        assert after != before
        names = page.evaluate("caches.keys()")
        assert len(names) == 2, "one cache for the page, one for its model"
        assert (
            page.evaluate(
                "caches.open('inkling-models /').then(async (one) => (await one.keys()).length)"
            )
            == 1
        )
        # The text that the first model wrote is there, and the second one reads it.
        assert text(page) == story
        expect(page.locator(".note")).to_contain_text("first wrote this story, but it is not")
        page.wait_for_function("document.querySelectorAll('.word').length > 5")
        link_of(page)
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def test_two_pages_of_one_origin_leave_each_other_alone(
    browser: Browser, tiny: Path, export: Any, tmp_path: Path
) -> None:
    shutil.copytree(tiny, tmp_path / "a")
    write(page_of(ModelFolder.open(export("second", hidden_size=48), device="cpu")), tmp_path / "b")
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    with served(tmp_path) as (address, stop):
        # A cache and a model that an older version of /b left, whose names had no scope.
        page.goto(f"{address}b/README.md")
        page.evaluate(
            "caches.open('inkling-0123456789ab').then((one) => one.put('./', new Response('')))"
        )
        for name in ("a", "b"):
            opened(page, f"{address}{name}/")
            page.evaluate("navigator.serviceWorker.ready.then(() => null)")
            begin(page, f"Page {name}")
            until_kept(page)
        page.wait_for_function(
            "caches.keys().then((names) => !names.includes('inkling-0123456789ab'))"
        )
        names = page.evaluate("caches.keys()")
        assert sorted(name.split(" ")[1] for name in names) == ["/a/", "/a/", "/b/", "/b/"]
        stop()
        for name in ("a", "b"):
            opened(page, f"{address}{name}/")
            assert text(page) == f"Page {name}"
            page.locator('[data-do="stories"]').click()
            expect(page.locator(".stories li")).to_have_count(1)
            assert generate(page).startswith(f"Page {name}")
    context.close()


def altered(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    ("broken", "sentence"),
    [
        (altered, "arrived damaged"),
        (lambda content: content[:1000], "could not be loaded"),
        (lambda content: content + b"more", "could not be loaded"),
        (None, "could not be loaded"),
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
        button(page, "Load again").click()
        page.wait_for_function(LOADED)
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def test_a_browser_that_keeps_nothing_writes_all_the_same(browser: Browser, tiny: Path) -> None:
    context = browser.new_context(locale="en-GB", service_workers="block")
    context.add_init_script(
        "delete window.caches;"
        "for (const name of ['indexedDB', 'localStorage', 'sessionStorage', 'BroadcastChannel'])"
        "  Object.defineProperty(window, name, { get() { throw new Error('no') } });"
    )
    page = context.new_page()
    with served(tiny) as (address, _):
        opened(page, address)
        expect(page.locator(".note")).to_contain_text("keeps nothing for this page")
        begin(page, "Once")
        assert generate(page).startswith("Once")
    context.close()


def answer_with(code: str, route: Route) -> None:
    route.fulfill(body=code, content_type="text/javascript")


def test_a_browser_without_simd_says_so_and_fetches_no_model(browser: Browser, tiny: Path) -> None:
    context = browser.new_context(locale="en-GB", service_workers="block")
    requests: list[str] = []
    context.on("request", lambda request: requests.append(request.url))
    code = (tiny / "web" / "sampling" / "core.js").read_text(encoding="utf-8")
    assert "WebAssembly?.validate(SIMD)" in code
    code = code.replace("WebAssembly?.validate(SIMD)", "WebAssembly?.validate(SIMD.slice(1))")
    context.route("**/core.js", functools.partial(answer_with, code))
    page = context.new_page()
    with served(tiny) as (address, _):
        page.goto(address)
        expect(page.locator("#loading-note")).to_contain_text("lacks WebAssembly SIMD")
        expect(page.locator(".loading button")).to_be_hidden()
    assert not [url for url in requests if url.endswith((".wasm", ".inkling"))]
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
