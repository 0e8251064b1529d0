"""The component by itself, without Gradio and without a model."""

from __future__ import annotations

import contextlib
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from playground.page_html import WEB
from playground.server.write import CORE
from tests.browser.actions import DAY, DESK, fresh_page, open_page
from tests.paths import ROOT


class Files(http.server.SimpleHTTPRequestHandler):
    """component.html, a web folder with the core below web/, and tests/web below tests/."""

    web = WEB
    protocol_version = "HTTP/1.1"  # the page's hundred files come over few connections
    wbufsize = 2**16  # head and body in one packet, or each answer waits 40 ms for the other side

    def translate_path(self, path: str) -> str:
        name = path.split("?")[0].lstrip("/")
        if name == "web/sampling/core.wasm":
            return str(CORE)
        for start, folder in (("web/", self.web), ("tests/", ROOT / "tests" / "web")):
            if name.startswith(start):
                return str(folder / name.removeprefix(start))
        return str(Path(__file__).with_name("component.html"))

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serving(web: Path) -> Iterator[str]:
    """Serve the component of a web folder and yield its address."""
    handler = type("FilesOfFolder", (Files,), {"web": web})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="session")
def files() -> Iterator[str]:
    with serving(WEB) as address:
        yield address


@pytest.fixture
def page(browser: Browser, files: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The component, opened; `on_both_screens` or `parametrize` sets the screen."""
    with fresh_page(browser, 60_000, **getattr(request, "param", DESK | DAY)) as page:
        open_page(page, files)
        yield page
