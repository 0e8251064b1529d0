"""One Chromium for each pytest worker, a fresh context for each test, and the running app."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.browser.actions import fresh_page, open_page
from tests.paths import ROOT
from tests.processes import free_port

HERE = Path(__file__).parent
# The headless shell has no window, no GPU process and no extensions: it starts in half the time.
NAMES = (
    "chromium-headless-shell",
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
)
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Playwright's 5 s are too few where two workers and their servers have two cores between them.
expect.set_options(timeout=60_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests in this folder need Chromium."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.browser)


@contextlib.contextmanager
def every_core() -> Iterator[None]:
    """Use all cores. A worker has one core (../conftest.py); on that one the app's busy thread kept
    the browser waiting until its story was over."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    yield
    os.sched_setaffinity(0, own)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("No Chromium on this machine: CI needs one (apt-get install chromium).")
    if path is None:
        pytest.skip("No Chromium on this machine: install one to run the browser tests.")
    with sync_playwright() as playwright:
        with every_core():
            browser = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield browser
        asyncio._set_running_loop(browser._impl_obj._loop)
        browser.close()


@pytest.fixture(scope="module", autouse=True)
def browser(chromium: Browser) -> Iterator[Browser]:
    """The worker's Chromium. Between the modules Playwright's event loop does not count as running:
    other tests of the worker call asyncio.run()."""
    loop = chromium._impl_obj._loop
    asyncio._set_running_loop(loop)
    with every_core():
        yield chromium
    asyncio._set_running_loop(None)


@contextlib.contextmanager
def running_app(log: Path, *models: Path) -> Iterator[str]:
    """Run `python app.py` with some models and yield its address."""
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port := free_port())]
    for model in models:
        command += ["--model", str(model)]
    with log.open("w") as output, every_core():
        app = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(960):
            assert app.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        else:
            raise TimeoutError(f"the app did not answer: {log.read_text()}")
        yield url
    finally:
        app.terminate()
        app.wait(30)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="session")
def address(
    export: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory, chromium: Browser
) -> Iterator[str]:
    """The app with two models: a fast one, and one slow enough for a Stop in mid-story."""
    slow = export("slow", ends=False, hidden_size=512, intermediate_size=1024, num_hidden_layers=12)
    fast = export("fast", ends=False)
    with running_app(tmp_path_factory.mktemp("app") / "log", fast, slow) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The playground, opened; `parametrize("page", [...], indirect=True)` sets the screen."""
    outside: list[str] = []

    def note(request: Request) -> None:
        if not request.url.startswith((address, "data:", "blob:", f"ws{address[4:]}")):
            outside.append(request.url)

    with fresh_page(browser, 60_000, **getattr(request, "param", {})) as page:
        page.on("request", note)
        open_page(page, address)
        yield page
    assert outside == [], "the page sent a request to another machine"
