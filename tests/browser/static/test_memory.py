"""What a page without a server takes of a phone's memory."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from pytest import mark

from tests.browser.actions import PHONE, button
from tests.browser.static.site import begin

LIMIT = 120.0  # MB


def memory_of_renderers() -> list[float]:
    """Memory of each of Chromium's renderers that no other process shares, in MB."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "--type=renderer" not in (folder / "cmdline").read_text():
                continue
            sizes = (folder / "smaps_rollup").read_text()
        except OSError:
            continue  # it ended meanwhile
        found += [int(size) * 1024 / 1e6 for size in re.findall(r"Private_Dirty: +(\d+) kB", sizes)]
    return found


def most_of_eight_stories(page: Page) -> float:
    """The most that is seen while a story and eight continuations are written, in MB."""
    begin(page, "The moon was lonely")
    most = [max(memory_of_renderers())]
    for name in ("Generate", "Show me eight"):
        button(page, name).click()
        expect(button(page, "Stop")).to_be_visible()
        while not button(page, "Continue").is_visible():
            most.append(max(memory_of_renderers()))
            page.wait_for_timeout(20)
    most.append(max(memory_of_renderers()))
    assert page.locator(".choices li").count() == 8
    return max(most)


@mark.parametrize("page", [PHONE], indirect=True)
@mark.parametrize("seed", ["7", None])
def test_eight_stories_fit_a_phone(page: Page, seed: str | None) -> None:
    """The longest stories that a seed tells, and whatever comes."""
    if seed is not None:
        page.get_by_text("More", exact=True).click()
        page.locator("#ink-seed").fill(seed)
        page.locator("#ink-fresh").uncheck()
    assert 40 < most_of_eight_stories(page) < LIMIT
