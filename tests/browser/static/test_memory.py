"""A page without a server gives back the memory that its stories took.

How much memory it takes is measured by benchmarks/browser_memory.py.
"""

from __future__ import annotations

import re
from pathlib import Path

import psutil
from playwright.sync_api import Page, expect
from pytest import mark

from tests.browser.actions import PHONE, button, generate
from tests.browser.static.site import begin


def memory_of_renderers() -> float:
    """The memory of this worker's renderers that no other process shares, in MB."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            if "--type=renderer" not in " ".join(process.cmdline()):
                continue
            sizes = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        except (OSError, psutil.Error):
            continue  # it has ended
        total += sum(int(size) for size in re.findall(r"Private_Dirty: +(\d+) kB", sizes))
    return total * 1024 / 1e6


@mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
@mark.parametrize("page", [PHONE], indirect=True)
def test_stories_leave_no_memory_behind(page: Page) -> None:
    """The bound is generous: the memory after a story depends on when garbage was collected."""
    after = []
    for _ in range(3):
        begin(page, "The moon was lonely")
        generate(page, 200)
        button(page, "Eight versions").click()
        expect(page.locator(".choices li")).to_have_count(8)
        expect(button(page, "Continue")).to_be_visible()
        after.append(memory_of_renderers())
    assert after[0] > 20, "these are not the renderers"
    assert after[2] < 2 * after[0], after
