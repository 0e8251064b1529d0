"""What a person does on the page, for the browser tests: types, presses, looks."""

from __future__ import annotations

import contextlib
import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

SEED = 7  # of every story in the tests, unless the seed is the subject
AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js")
PHONE = {"viewport": {"width": 390, "height": 844}}
DESK = {"viewport": {"width": 1280, "height": 900}}
DAY, NIGHT = {"color_scheme": "light"}, {"color_scheme": "dark"}
BOTH = [DESK | DAY, PHONE | NIGHT]  # each width once, and each set of colours once
on_both_screens = pytest.mark.parametrize("page", BOTH, indirect=True, ids=["desk", "phone"])


@contextlib.contextmanager
def fresh_page(browser: Browser, timeout: int, **settings: Any) -> Iterator[Page]:
    """Yield a page in a context of its own; no script of it may fail. `timeout`: of each action on
    it, in ms."""
    context = browser.new_context(**{"locale": "en-GB"} | settings)
    problems: list[str] = []
    try:
        page = context.new_page()
        page.set_default_timeout(timeout)
        page.on("pageerror", lambda problem: problems.append(str(problem)))
        yield page
    finally:
        context.close()
    assert problems == []


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("inkling-writer[ready]").wait_for()


def sheet(page: Page) -> Locator:
    return page.locator(".sheet")


def text(page: Page) -> str:
    return sheet(page).text_content() or ""


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def set_field(page: Page, name: str, value: float) -> None:
    """Set a slider or another field of the settings, also below a heading that is closed."""
    page.locator(f"#ink-{name}").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input', "
        "{ bubbles: true })) }",
        value,
    )


def set_seed(page: Page, seed: int = SEED) -> None:
    """Set the seed of all stories that follow."""
    set_field(page, "seed", seed)


def generate(page: Page, length: int = 16) -> str:
    """Press Generate or Continue, wait for the end, and return the text."""
    set_field(page, "length", length)
    set_seed(page)
    page.locator('[data-part="generate"]').click()
    expect(page.locator(".live")).to_contain_text("Seed")
    expect(button(page, "Continue")).to_be_visible()
    return text(page)


def until_kept(page: Page) -> None:
    """Wait until the browser's database has the story as it is now."""
    page.wait_for_function(
        "document.querySelector('inkling-writer').stories.store.waiting.size === 0"
    )


def violations(page: Page, root: str = "html") -> list[str]:
    """Return what axe finds wrong below `root`."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate(
        "root => axe.run(document.querySelector(root), { resultTypes: ['violations'] })", root
    )
    return [
        f"{problem['id']}: {problem['help']}: {problem['nodes'][0]['html'][:200]}"
        for problem in found["violations"]
    ]


def write(page: Page, opening: str = "Once upon a time", length: int = 6) -> str:
    """Type an opening, let the model continue it, and return the text."""
    set_field(page, "length", length)
    sheet(page).click()
    for number, line in enumerate(opening.split("\n")):
        if number:
            page.keyboard.press("Enter")
        page.keyboard.insert_text(line)
    button(page, "Generate").click()
    expect(button(page, "Continue")).to_be_visible()
    expect(page.locator(".note")).to_contain_text("per second")
    return text(page)


def show_panel(page: Page, name: str) -> None:
    """Open a panel beside the story."""
    page.get_by_role("tab", name=re.compile(f"^{name}")).click()


def look_closer(page: Page, name: str) -> None:
    """Open a view."""
    show_panel(page, "Look closer")
    button(page, name).click()


def type_at_end(page: Page, words: str) -> None:
    """Type behind the last line of a story."""
    sheet(page).click()
    page.keyboard.press("End")
    page.keyboard.type(words)


def open_link(page: Page, link: str) -> None:
    """Paste a link where links are opened."""
    if not page.get_by_label("Open a link").is_visible():
        button(page, "Your stories").click()
    page.get_by_label("Open a link").fill(link)
    page.get_by_label("Open a link").press("Enter")


def requests(page: Page, kind: str) -> list[dict[str, Any]]:
    return [request for name, request in page.evaluate("source.asked") if name == kind]


def turn(page: Page, bar: int) -> str:
    """Turns a story of one branch at its seventh word, to what a bar of the card says: its text."""
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(6).click()
    page.locator(".card .bars button").nth(bar).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    return text(page)


def link_of(page: Page) -> str:
    """The story as a link."""
    button(page, "Share").click()
    field = page.get_by_label("A link with the whole story")
    expect(field).to_be_focused()
    return field.input_value()
