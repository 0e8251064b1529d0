"""The pictures of README, made on the running app with the shipped model.

PICTURES=1 writes them to docs/ and to playground/web/preview.png; else they are only looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import button
from tests.browser.conftest import running_app
from tests.paths import ROOT


@pytest.fixture(scope="module")
def shipped(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app") / "log", ROOT / "models/storyteller") as url:
        yield url


def opened(browser: Browser, url: str, width: int, height: int, scheme: str) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height}, color_scheme=scheme, locale="en-GB"
    )
    page = context.new_page()
    page.goto(url)
    page.locator("inkling-writer[ready]").wait_for()
    expect(page.locator('[data-part="next"] button')).to_have_count(12)
    return page


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [
        ("docs/playground.png", 1280, 860, "light"),
        ("docs/playground-night.png", 1280, 860, "dark"),
        ("docs/playground-phone.png", 390, 844, "light"),
        ("playground/web/preview.png", 1200, 630, "light"),
    ],
)
def test_the_first_story_is_there_with_its_odds(
    browser: Browser, shipped: str, tmp_path: Path, name: str, width: int, height: int, scheme: str
) -> None:
    page = opened(browser, shipped, width, height, scheme)
    expect(page.locator(".sheet")).to_contain_text("Once upon a time, there was a little fox")
    expect(page.get_by_label("Show the odds")).to_be_checked()
    assert page.locator('.word[data-odds="4"]').count() > 3
    if width > 1000:
        page.locator(".word", has_text="hungry").first.hover()
        expect(page.locator(".card .bars li")).to_have_count(10)
    wanted = os.environ.get("PICTURES") == "1"
    file = ROOT / name if wanted else tmp_path / "picture.png"
    page.screenshot(path=file)
    with Image.open(file) as picture:
        assert picture.size == (width, height)
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 50
    if wanted:  # half of the size, at no loss that is seen
        with Image.open(file) as picture:
            small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(file, optimize=True)
    page.context.close()


def test_a_child_plays_and_a_story_goes_on(browser: Browser, shipped: str) -> None:
    """From the first screen on, with the shipped model: new, an opening, generate, turn."""
    page = opened(browser, shipped, 1280, 860, "light")
    button(page, "New story").click()
    page.get_by_role("button", name="The moon was lonely, so").click()
    button(page, "Generate").click()
    expect(button(page, "Continue")).to_be_visible(timeout=20_000)
    told = page.locator(".sheet").text_content() or ""
    assert len(told.split()) > 12
    page.locator(".word").nth(8).click()
    page.locator(".card .bars li:not(.chosen) button").first.click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible(timeout=20_000)
    turned = page.locator(".sheet").text_content() or ""
    assert turned[:20] == told[:20]
    # As a link it is told again by the same model, in a browser that has never been here.
    button(page, "Share").click()
    expect(page.get_by_label("A link with the whole story")).to_be_focused()
    link = page.get_by_label("A link with the whole story").input_value()
    assert len(link) < 800
    page.context.close()
    reader = opened(browser, link, 390, 844, "dark")
    expect(reader.locator(".live")).to_contain_text("Reproduced exactly", timeout=20_000)
    assert reader.locator(".sheet").text_content() == turned
    reader.context.close()
