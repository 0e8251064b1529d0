"""A real Chromium and the running app, shared by the browser tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Request, expect, sync_playwright

from tests.paths import ROOT
from tests.processes import free_port

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
# Playwright's 5 s are too few where two workers and their servers have two cores between them.
expect.set_options(timeout=20_000)


@pytest.fixture(scope="module", autouse=True)
def every_core() -> Iterator[None]:
    """A worker has one core (../conftest.py); on that one the app's busy thread kept the browser
    waiting until its story was over."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1))
    yield
    os.sched_setaffinity(0, own)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None and os.environ.get("CI") == "true":
        pytest.fail("No Chromium on this machine: CI needs one (apt-get install chromium).")
    if path is None:
        pytest.skip("No Chromium on this machine: install one to run the browser tests.")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=list(QUIET))
        yield chromium
        chromium.close()


@contextmanager
def running_app(log: Path, *models: Path) -> Iterator[str]:
    """`python app.py` with some models: its address."""
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port := free_port())]
    for model in models:
        command += ["--model", str(model)]
    with log.open("w") as output:
        app = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=os.environ | {"OMP_NUM_THREADS": "1"},
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(240):
            assert app.poll() is None, log.read_text()
            try:
                urllib.request.urlopen(url, timeout=5).close()
                break
            except OSError:
                time.sleep(0.25)
        yield url
    finally:
        app.terminate()
        app.wait(10)
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def address(export, tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[str]:
    """The app with two models: one slow enough for a Stop in mid-story, one fast."""
    slow = export("slow", ends=False, hidden_size=512, intermediate_size=1024, num_hidden_layers=12)
    with running_app(tmp_path_factory.mktemp("app") / "log", slow, export("fast")) as url:
        yield url


@pytest.fixture
def page(browser: Browser, address: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The playground, opened; `parametrize("page", [...], indirect=True)` sets the screen."""
    context = browser.new_context(locale="en-GB", **getattr(request, "param", {}))
    page = context.new_page()
    page.set_default_timeout(20_000)
    outside: list[str] = []

    def note(asked: Request) -> None:
        if not asked.url.startswith((address, "data:", "blob:", f"ws{address[4:]}")):
            outside.append(asked.url)

    page.on("request", note)
    page.goto(address)
    page.locator("inkling-writer[ready]").wait_for()
    yield page
    context.close()
    assert outside == [], "the page asked for something beyond this machine"
