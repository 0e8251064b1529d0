"""A page without a server, served and opened."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from tests.browser.actions import button, set_seed, sheet
from tests.paths import ROOT

SHIPPED = ROOT / "models" / "storyteller"
LOADED = "!document.querySelector('.loading') && document.querySelector('inkling-writer[ready]')"


class Quiet(http.server.SimpleHTTPRequestHandler):
    origins = ""  # whose pages may read what it serves

    def end_headers(self) -> None:
        if self.origins:
            self.send_header("Access-Control-Allow-Origin", self.origins)
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def served(
    folder: Path, port: int = 0, origins: str = ""
) -> Iterator[tuple[str, Callable[[], None]]]:
    """A static server of a folder: its address, and what stops it."""
    allowing = type("Allowing", (Quiet,), {"origins": origins})
    handler = functools.partial(allowing, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def stop() -> None:
        server.shutdown()
        server.server_close()

    yield f"http://127.0.0.1:{server.server_address[1]}/", stop
    stop()


def opened(page: Page, address: str) -> None:
    page.goto(address)
    page.wait_for_function(LOADED)


def begin(page: Page, opening: str) -> None:
    """Begin a new story with these words; its seed is fixed."""
    set_seed(page)
    if button(page, "New story").is_enabled():
        button(page, "New story").click()
    else:
        sheet(page).click()
    page.keyboard.insert_text(opening)
