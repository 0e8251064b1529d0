"""A page that cannot start says why, in place of an empty window."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.static.site import Quiet, served

NOTE = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"


def in_place_of(page: Page, pattern: str, **answer: Any) -> None:
    page.route(pattern, lambda route: route.fulfill(**answer))


def test_a_page_that_does_not_begin_says_why(
    browser: Browser, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = browser.new_context(locale="en-GB", service_workers="block")
    page = context.new_page()
    trouble = page.locator(".trouble")
    page.goto((tiny / "index.html").as_uri())
    expect(trouble).to_contain_text("does not run this page straight from a disk")
    with served(tiny) as (address, _):
        in_place_of(page, "**/start.json", status=404)
        page.goto(address)
        expect(trouble).to_contain_text("start.json did not load (404).")
        page.unroute_all()
        in_place_of(page, "**/text.json", status=200, body="<html>", content_type="text/html")
        page.reload()
        expect(trouble).to_contain_text("text.json did not load (JSON).")
        page.unroute_all()
        in_place_of(page, "**/writer.js", status=404)
        page.reload()
        expect(trouble).to_contain_text("start_static.js did not load")
        page.unroute_all()
        in_place_of(page, "**/model-*.inkling", status=200, body=NOTE)
        page.reload()
        expect(page.locator("#loading-note")).to_contain_text("The model's file is missing")
        expect(trouble).to_have_count(0)
        page.unroute_all()
    types = {**Quiet.extensions_map, ".js": "text/plain"}
    monkeypatch.setattr(Quiet, "extensions_map", types)
    with served(tiny) as (address, _):
        page.goto(address)
        expect(trouble).to_contain_text("The web server sends start_static.js as “text/plain”.")
    context.close()
    german = browser.new_context(locale="de-DE").new_page()
    german.goto((tiny / "index.html").as_uri())
    expect(german.locator(".trouble")).to_contain_text("Direkt von der Festplatte")
    german.context.close()
