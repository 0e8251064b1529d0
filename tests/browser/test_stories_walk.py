"""Random sequences of what can befall a story, on the running app: nothing is lost or falsified.

After each step every story that was on a page can be opened, and what is kept is what was on the
page. `tests/web/stories_walk.test.js` does the same 200 times without a browser, in seconds.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from playwright.sync_api import Browser, Page, Route

from tests.browser.actions import open_page, set_field, sheet, text
from tests.browser.test_page import Wire

TABS = 3
# Storage that is full, and a clock that is wrong, as often as a test wishes.
UNRELIABLE = """
const put = IDBObjectStore.prototype.put;
IDBObjectStore.prototype.put = function (...row) {
  if (localStorage.getItem("test-full")) throw new DOMException("full", "QuotaExceededError");
  return put.apply(this, row);
};
const now = Date.now;
Date.now = () => now() + Number(localStorage.getItem("test-clock") ?? 0);
"""
# What this tab's story is: its row, text, whether it was changed here, and whether it is written.
TAB = """() => {
  const { stories, state } = document.querySelector("inkling-writer"), { store } = stories;
  const { story } = stories.keptOf(state.now.doc);
  return { row: store.rowOf(story), touched: stories.untouched === null && store.isKept(story),
    text: document.querySelector(".sheet").textContent };
}"""
# The text of every kept story, read as the page reads it.
KEPT = """async () => {
  const { store } = document.querySelector("inkling-writer").stories;
  const { unpackedWithSteps } = await import("/web/story/history.js");
  const { current, textOf } = await import("/web/story/tree.js");
  const all = await store.all();
  return Object.fromEntries(all.map(({ id, value }) => {
    const kept = unpackedWithSteps(value, id);
    return [id, kept && textOf(current(kept.doc).tokens)];
  }));
}"""
WRITTEN = "document.querySelector('inkling-writer').stories.store.waiting.size === 0"
AT_REST = "!document.querySelector('inkling-writer').writing"
words = st.text(st.sampled_from("abc  .é日🦊“<&"), min_size=1, max_size=12).map(
    lambda one: f" {one}x"
)


class Walk(RuleBasedStateMachine):
    """What befalls; `browser` and `address` are set by `walk`."""

    browser: Browser
    address: str

    @initialize()
    def begin(self) -> None:
        self.wire = Wire(self.address)
        self.models: list[str] | None = None  # those that the app was started with; None: all
        self.version = 0
        self.is_full = False
        # The texts that each row may hold: while storage is full, the old one or a newer one.
        self.expected: dict[str, list[str | None]] = {}
        self.context = self.browser.new_context(locale="en-GB", bypass_csp=True)
        self.context.set_default_timeout(20_000)
        self.context.add_init_script(UNRELIABLE)
        self.context.route("**/web/start.json", self.answer_start)
        self.context.route("**/web/s*.js", self.answer_script)
        self.tabs: list[Page] = []
        self.open_tab()

    def answer_start(self, route: Route) -> None:
        answer = route.fetch()
        begin = answer.json()
        if self.models is not None:
            begin["models"] = [one for one in begin["models"] if one["name"] in self.models]
        route.fulfill(response=answer, body=json.dumps(begin))

    def answer_script(self, route: Route) -> None:
        answer = route.fetch()
        headers = answer.headers | {"etag": f'"{self.version}"'}
        route.fulfill(response=answer, headers=headers, body=f"{answer.text()}\n// {self.version}")

    def open_tab(self) -> Page:
        page = self.context.new_page()
        open_page(page, self.wire.address)
        self.tabs.append(page)
        return page

    def tab(self, number: int) -> Page:
        return self.tabs[number % len(self.tabs)]

    def reload(self, page: Page) -> None:
        before = page.evaluate(TAB)
        page.reload()
        page.locator("inkling-writer[ready]").wait_for()
        assert text(page) == before["text"]

    @property
    def is_up(self) -> bool:
        return not self.wire.is_cut

    @rule(number=st.integers(0, 2), more=words, before=st.booleans())
    def write(self, number: int, more: str, before: bool) -> None:
        page = self.tab(number)
        sheet(page).click()
        page.keyboard.press("Control+Home" if before else "Control+End")
        page.keyboard.insert_text(more)

    @rule(number=st.integers(0, 2), seed=st.integers(0, 99))
    def generate(self, number: int, seed: int) -> None:
        page = self.tab(number)
        set_field(page, "length", 4)
        set_field(page, "seed", seed)
        page.locator('[data-part="generate"]').click()
        page.wait_for_function(AT_REST)

    @precondition(lambda self: self.is_up)
    @rule(number=st.integers(0, 2))
    def reload_page(self, number: int) -> None:
        self.reload(self.tab(number))

    @precondition(lambda self: self.is_up and len(self.tabs) < TABS)
    @rule()
    def second_tab(self) -> None:
        self.open_tab()

    @precondition(lambda self: self.is_up and not self.is_full)
    @rule()
    def close_all_tabs(self) -> None:
        for page in self.tabs:
            page.close()
        self.tabs = []
        self.open_tab()

    @rule(number=st.integers(0, 2))
    def another_model(self, number: int) -> None:
        page = self.tab(number)
        names = page.locator("#ink-model option").all_text_contents()
        now = page.locator("#ink-model").input_value()
        if len(names) > 1:
            other = next(name for name in names if name != now)
            page.locator("#ink-model").select_option(other)

    @precondition(lambda self: self.is_up)
    @rule(models=st.sampled_from([["fast"], ["slow"], None]))
    def app_with_other_models(self, models: list[str] | None) -> None:
        self.models = models
        for page in self.tabs:
            self.reload(page)

    @precondition(lambda self: self.is_up)
    @rule()
    def app_updated(self) -> None:
        self.version += 1
        self.reload(self.tabs[0])

    @rule()
    def server_killed_or_restarted(self) -> None:
        if self.wire.is_cut:
            self.wire.is_cut = False
        else:
            self.wire.cut()

    @rule()
    def storage_full_or_not(self) -> None:
        self.is_full = not self.is_full
        change = "setItem('test-full', '1')" if self.is_full else "removeItem('test-full')"
        self.tabs[0].evaluate(f"localStorage.{change}")

    @rule(offset=st.sampled_from([0, 200_000_000_000, -900_000_000_000]))
    def clock_changed(self, offset: int) -> None:
        self.tabs[0].evaluate("offset => localStorage.setItem('test-clock', offset)", offset)

    @rule(number=st.integers(0, 2))
    def new_story(self, number: int) -> None:
        page = self.tab(number)
        if page.locator('[data-part="new"]').is_enabled():
            page.locator('[data-part="new"]').click()

    @precondition(lambda self: self.is_up)
    @rule(number=st.integers(0, 2), source=st.integers(0, 2))
    def link_opened(self, number: int, source: int) -> None:
        writer = "document.querySelector('inkling-writer')"
        if not text(self.tab(source)):
            return
        self.tab(source).evaluate(f"{writer}.edits.score()")
        link = self.tab(source).evaluate(
            f"{writer}.sharing.text().then((text) => {writer}.sharing.address(text))"
        )
        page = self.tab(number)
        before = page.evaluate(TAB)["row"]
        open_page(page, link)  # with the tab's own story; the link's takes its place soon
        page.wait_for_function(f"before => ({TAB})().row !== before", arg=before)

    @rule(number=st.integers(0, 2), part=st.sampled_from(["undo", "redo"]))
    def undo(self, number: int, part: str) -> None:
        button = self.tab(number).locator(f'[data-part="{part}"]')
        if button.is_enabled():
            button.click()

    @rule(number=st.integers(0, 2), item=st.integers(0, 5))
    def open_kept(self, number: int, item: int) -> None:
        page = self.tab(number)
        page.locator('[data-do="stories"]').click()
        items = page.locator(".stories .go")
        page.locator("#ink-stories:focus").wait_for()
        if count := items.count():
            items.nth(item % count).click()
            page.locator(".sheet:focus").wait_for()
        else:
            page.locator('[data-do="stories"]').click()
        page.locator(".stories").wait_for(state="hidden")

    @invariant()
    def every_story_can_be_opened(self) -> None:
        if not getattr(self, "tabs", None):
            return
        if not self.is_full:
            for page in self.tabs:
                page.evaluate("document.querySelector('inkling-writer').stories.store.flush()")
                page.wait_for_function(WRITTEN)
        for tab in (page.evaluate(TAB) for page in self.tabs):
            if tab["touched"]:
                older = self.expected.get(tab["row"], [None]) if self.is_full else []
                self.expected[tab["row"]] = [*older, tab["text"]]
        kept: dict[str, Any] = {}
        for page in self.tabs:
            kept |= {} if self.is_full else page.evaluate(KEPT)
        if not self.is_full:
            rows = self.expected.items()
            lost = {row: texts for row, texts in rows if kept.get(row) not in texts}
            assert not lost, kept

    def teardown(self) -> None:
        if self.is_full:
            self.storage_full_or_not()
            self.every_story_can_be_opened()
        self.context.close()
        self.wire.cut()
        self.wire.server.close()


def walk(browser: Browser, address: str, examples: int, steps: int) -> None:
    """Run `examples` sequences of at most `steps` steps each."""
    run_state_machine_as_test(
        type("Walk", (Walk,), {"browser": browser, "address": address}),
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_random_sequences_lose_nothing(browser: Browser, address: str) -> None:
    walk(browser, address, 5, 6)


@pytest.mark.soak
@pytest.mark.timeout(7200)
def test_two_hundred_random_sequences_lose_nothing(browser: Browser, address: str) -> None:
    walk(browser, address, 200, 12)
