"""What a story becomes on a page without a server."""

from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.stories.permalink import decode, text_of
from playground.stories.story import Story
from tests.browser.actions import button, generate, link_of, sheet
from tests.browser.static.site import begin


def saved(page: Page, name: str) -> bytes:
    """What a button downloads."""
    with page.expect_download() as download:
        button(page, name).click()
    return Path(download.value.path()).read_bytes()


def test_its_record_is_the_one_that_python_writes(page: Page, engine: Engine) -> None:
    """With the draws of what the model wrote, none of what was typed; one run after another."""
    begin(page, "A little girl had a kite")
    generate(page)
    page.keyboard.press("End")
    sheet(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text(" Then a dog came.")
    generate(page)
    link = link_of(page)
    found = json.loads(saved(page, ".json"))
    assert found["link"] == link
    assert found["title"].startswith("A little girl had a kite")
    expected = replay(engine, decode(text_of(link))).story
    named = {name: found.pop(name) for name in ("title", "author", "link")}
    assert all(isinstance(value, str) for value in named.values())
    assert list(found) == list(expected.to_values())
    read = Story.from_values(found)
    assert (read.model, read.settings, read.ended) == (
        expected.model, expected.settings, expected.ended,
    )  # fmt: skip
    assert {token.draw is None for token in read.tokens} == {True, False}
    for one, other in zip(read.tokens, expected.tokens, strict=True):
        same = ("token_id", "text", "draw", "rank")
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]
        # Python's sum over the unlikely ids is rounded where its head computes in bf16.
        for name, most in (("probability", 1e-3), ("chosen_probability", 1e-4), ("entropy", 0.05)):
            assert getattr(one, name) == pytest.approx(getattr(other, name), abs=most)
        assert [alike.token_id for alike in one.alternatives] == [
            alike.token_id for alike in other.alternatives
        ]


def test_its_files_and_its_book_are_made(page: Page, tmp_path: Path) -> None:
    """As on the app's page (../test_sharing.py), with the page's worker."""
    begin(page, "A little girl had a kite")
    story = generate(page)
    link_of(page)
    expect(page.locator('[data-part="picture"]')).to_have_js_property("naturalWidth", 1200)
    html = tmp_path / "story.html"
    html.write_bytes(saved(page, ".html"))
    other = page.context.new_page()
    requests: list[str] = []
    other.on("request", lambda one: requests.append(one.url))
    other.goto(html.as_uri())
    other.locator("inkling-reader[ready]").wait_for()
    assert (sheet(other).text_content() or "").strip() == story.strip()
    assert [url for url in requests if url.startswith("http")] == []
    page.get_by_text("A book of stories").click()
    button(page, "Add this story").click()
    button(page, "Add this story").click()
    with zipfile.ZipFile(io.BytesIO(saved(page, "Save as e-book"))) as book:
        for k in (1, 2):
            words = "".join(ElementTree.fromstring(book.read(f"book/story{k}.xhtml")).itertext())
            assert story.strip() in words
