"""The pictures of README, made on the running app with the shipped model.

PICTURES=1 writes them to docs/ and to playground/web/preview.png; else they are only looked at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import SEED, button, fresh_page, link_of, open_page, set_seed
from tests.browser.conftest import running_app
from tests.paths import ROOT


@pytest.fixture(scope="module")
def shipped(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with running_app(tmp_path_factory.mktemp("app") / "log", ROOT / "models/storyteller") as url:
        yield url


@contextmanager
def opened(browser: Browser, url: str, width: int, height: int, scheme: str) -> Iterator[Page]:
    screen = {"viewport": {"width": width, "height": height}, "color_scheme": scheme}
    with fresh_page(browser, 60_000, **screen) as page:
        open_page(page, url)
        expect(page.locator('[data-part="next"] button')).to_have_count(12)
        yield page


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
    wanted = os.environ.get("PICTURES") == "1"
    file = ROOT / name if wanted else tmp_path / "picture.png"
    with opened(browser, shipped, width, height, scheme) as page:
        expect(page.locator(".sheet")).to_contain_text("Once upon a time, there was a little fox")
        expect(page.get_by_label("Show the odds")).to_be_checked()
        assert page.locator(".word[data-odds]").count() > 50
        if width > 1000:
            page.locator(".word", has_text="duck").first.hover()
            expect(page.locator(".card .bars li")).to_have_count(10)
        page.screenshot(path=file)
    with Image.open(file) as picture:
        assert picture.size == (width, height)
        assert len(picture.convert("RGB").getcolors(2**24) or []) > 50
    if wanted:  # half of the size, at no loss that is seen
        with Image.open(file) as picture:
            small = picture.convert("RGB").quantize(128, dither=Image.Dither.NONE)
        small.save(file, optimize=True)


def test_a_child_plays_and_a_story_goes_on(browser: Browser, shipped: str) -> None:
    """From the first screen on, with the shipped model: new, an opening, generate, turn."""
    with opened(browser, shipped, 1280, 860, "light") as page:
        button(page, "New story").click()
        page.get_by_role("button", name="The moon was lonely, so").click()
        set_seed(page)
        button(page, "Generate").click()
        expect(page.locator(".live")).to_contain_text(f"Seed {SEED}")
        expect(button(page, "Continue")).to_be_visible()
        story = page.locator(".sheet").text_content() or ""
        assert len(story.split()) > 12
        page.locator(".word").nth(8).click()
        page.locator(".card .bars li:not(.chosen) button").first.click()
        expect(page.locator(".branches li")).to_have_count(2)
        expect(button(page, "Continue")).to_be_visible()
        turned = page.locator(".sheet").text_content() or ""
        assert turned[:20] == story[:20]
        # The same model reproduces it from its link, in a browser that has never been here.
        link = link_of(page)
        assert len(link) < 800
    with opened(browser, link, 390, 844, "dark") as reader:
        expect(reader.locator(".live")).to_contain_text("Verified: the model wrote exactly")
        assert reader.locator(".sheet").text_content() == turned
