"""Look closer: the list of views, and one that is added by the recipe of docs/extending.md."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import DAY, DESK, button, fresh_page, open_page, sheet, write
from tests.browser.component.conftest import serving
from tests.paths import ROOT
from tests.recipes import follow


@pytest.fixture
def extended(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The component of a copy of the tree in which the recipe was followed."""
    shutil.copytree(ROOT / "playground" / "web", tmp_path / "playground" / "web")
    follow("A view", tmp_path)
    with (
        serving(tmp_path / "playground" / "web") as address,
        fresh_page(browser, 60_000, **DESK | DAY) as page,
    ):
        open_page(page, address)
        yield page


def test_a_view_that_the_recipe_adds_follows_the_story(extended: Page) -> None:
    page = extended
    write(page, "Once upon a time", length=6)
    button(page, "Count").click()
    view = page.locator(".view")
    expect(view.get_by_role("heading")).to_have_text("Count")
    expect(view.get_by_role("heading")).to_be_focused()
    expect(view.locator(".view-count")).to_have_text("10 tokens")
    assert page.locator(".view-count").evaluate("node => getComputedStyle(node).fontSize") == "32px"
    sheet(page).click()
    page.keyboard.press("End")
    page.keyboard.type(" It rained.")
    expect(view.locator(".view-count")).to_have_text("12 tokens")
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
    expect(button(page, "Count")).to_be_focused()


def test_a_view_that_does_not_load_is_named(page: Page) -> None:
    page.route("**/learning/view.js", lambda route: route.abort())
    button(page, "How the model learned to write").click()
    expect(page.locator(".note")).to_contain_text("How the model learned to write did not load.")
    expect(page.locator(".view")).to_be_hidden()
