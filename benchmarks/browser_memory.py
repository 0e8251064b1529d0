"""Peak memory of the page without a server in a real Chromium, with a phone's screen.

    python benchmarks/browser_memory.py [--model DIR] [--rounds 3]

While a story and eight continuations are written, the unshared memory of Chromium's renderer
(Private_Dirty) is read every 20 ms; the maximum counts. The first round has seed 7, whose stories
are long; the others have new seeds. Needs Linux, Chromium, the package playwright, and no other
Chromium running.
"""

from __future__ import annotations

import argparse
import functools
import http.server
import re
import shutil
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from playground.browser.build import page_of, write  # noqa: E402
from playground.folder.model_folder import ModelFolder  # noqa: E402

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
PHONE = {"width": 390, "height": 844}
LIMIT = 120.0  # MB
LOADED = "!document.querySelector('.loading') && document.querySelector('inkling-writer[ready]')"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and logs nothing."""

    def log_message(self, *_: Any) -> None:
        pass


def memory() -> float:
    """Return the largest Private_Dirty of any renderer, in MB."""
    largest = 0.0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if "--type=renderer" not in (folder / "cmdline").read_text():
                continue
            sizes = (folder / "smaps_rollup").read_text()
        except OSError:
            continue  # the process has ended
        for size in re.findall(r"Private_Dirty: +(\d+) kB", sizes):
            largest = max(largest, int(size) * 1024 / 1e6)
    return largest


def peak(page: Page, seed: str | None) -> float:
    """Return the peak memory while a story and eight continuations are written."""
    if seed is not None:
        page.locator("summary", has_text="More").click()
        page.locator("#ink-seed").fill(seed)
    page.locator(".sheet").click()
    page.keyboard.insert_text("The moon was lonely")
    sizes = [memory()]
    for part in ("generate", "eight"):
        page.locator(f'[data-part="{part}"]').click()
        while page.locator('[data-shows="stop"]').count():
            sizes.append(memory())
            page.wait_for_timeout(20)
    return max(*sizes, memory())


def measure(browser: Browser, address: str, seed: str | None) -> float:
    """Return the peak of a fresh visit."""
    context = browser.new_context(viewport=PHONE)
    page = context.new_page()
    page.goto(address)
    page.wait_for_function(LOADED)
    result = peak(page, seed)
    context.close()
    return result


def main() -> None:
    """Print the peak of each round beside the limit."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--model", type=Path, default=ROOT / "models" / "storyteller")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, NAMES)), None)
    if chromium is None:
        sys.exit("No Chromium on this machine: install one (Debian: apt-get install chromium).")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        write(page_of(ModelFolder.open(options.model, device="cpu")), Path(folder) / "page")
        handler = functools.partial(Quiet, directory=f"{folder}/page")
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        address = f"http://127.0.0.1:{server.server_address[1]}/"
        for number in range(options.rounds):
            seed = None if number else "7"
            found = measure(browser, address, seed)
            print(f"seed {seed or 'new':4}{found:8.1f} MB   at most {LIMIT:.0f} MB", flush=True)
        browser.close()
        server.shutdown()


if __name__ == "__main__":
    main()
