"""What a person does on the page, for the browser tests: types, presses, looks."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect

from tests.paths import ROOT

AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js")
VECTORS = ROOT / "tests" / "playground" / "stories" / "permalink_vectors.json"
PHONE = {"viewport": {"width": 390, "height": 844}}
DESK = {"viewport": {"width": 1280, "height": 900}}
DAY, NIGHT = {"color_scheme": "light"}, {"color_scheme": "dark"}
SCREENS = [PHONE | DAY, PHONE | NIGHT, DESK | DAY, DESK | NIGHT]


@contextlib.contextmanager
def fresh_page(browser: Browser, timeout: int, **settings: Any) -> Iterator[Page]:
    """A page in a browser that knows nothing of it; by its end no script of it may have failed.
    `timeout` of what is done on it, in ms."""
    context = browser.new_context(**{"locale": "en-GB"} | settings)
    page = context.new_page()
    page.set_default_timeout(timeout)
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    yield page
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


def set_range(page: Page, name: str, value: float) -> None:
    page.locator(f"#ink-{name}").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input', "
        "{ bubbles: true })) }",
        value,
    )


def write(page: Page, opening: str = "Once upon a time", length: int = 6) -> str:
    """Types an opening and lets the model go on."""
    set_range(page, "length", length)
    sheet(page).click()
    for number, line in enumerate(opening.split("\n")):
        if number:
            page.keyboard.press("Enter")
        page.keyboard.insert_text(line)
    button(page, "Generate").click()
    expect(button(page, "Continue")).to_be_visible()
    expect(page.locator(".note")).to_contain_text("a second")
    return text(page)


def asked(page: Page, kind: str) -> list[dict[str, Any]]:
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
