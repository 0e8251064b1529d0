"""A story goes from one visitor to another: by link, code, picture, file and book."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from tests.browser.actions import (
    DESK,
    PHONE,
    button,
    fresh_page,
    generate,
    link_of,
    open_page,
    sheet,
    text,
    violations,
)

HOSTILE = '<img src=x onerror="window.hacked=1"> <script>window.hacked=1</script> {{7*7}}'


def written(page: Page, opening: str) -> str:
    """A story that begins like this."""
    sheet(page).click()
    page.keyboard.insert_text(opening)
    return generate(page)


@pytest.mark.parametrize("page", [PHONE, DESK], indirect=True)
def test_a_link_opens_in_a_fresh_profile_and_proves_itself(
    page: Page, browser: Browser, address: str
) -> None:
    told = written(page, "The moon was lonely")
    link = link_of(page)
    assert link.startswith(f"{address}/s/")
    # The model has few tokens in its sight: what is shown fits on the screen all the same.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with fresh_page(browser, 60_000, **PHONE) as other:
        other.goto(link)
        expect(other.locator(".live")).to_contain_text("Verified: the model wrote exactly")
        assert text(other) == told
        assert other.url == f"{address}/"
        assert other.title().startswith("The moon was lonely")  # as the link's page has it
        button(other, "Deutsch").click()
        assert other.title().startswith("The moon was lonely")
        button(other, "Español").click()
        button(other, "English").click()
        other.reload()
        other.locator("inkling-writer[ready]").wait_for()
        assert text(other) == told


def test_a_hostile_story_runs_nowhere(page: Page, browser: Browser, tmp_path: Path) -> None:
    written(page, f"Tom said {HOSTILE}")
    link = link_of(page)
    page.get_by_label("Title", exact=True).fill(HOSTILE)
    with page.expect_download() as download:
        button(page, ".html").click()
    file = tmp_path / "story.html"
    download.value.save_as(file)
    assert page.evaluate("window.hacked") is None
    for where in (link, file.as_uri()):
        with fresh_page(browser, 60_000) as other:
            other.goto(where)
            other.locator(":is(inkling-writer, inkling-reader)[ready]").wait_for()
            expect(other.locator(".sheet")).to_contain_text(HOSTILE)
            assert other.evaluate("window.hacked") is None
            assert other.locator(".sheet :is(img, script)").count() == 0


def test_a_file_shows_the_odds_without_a_server(
    page: Page, browser: Browser, tmp_path: Path
) -> None:
    told = written(page, "One day, Lily")
    link_of(page)
    title = page.get_by_label("Title", exact=True)
    title.fill("The door")
    page.get_by_label("Your name").fill("Lily")
    page.locator("[data-share=close]").click()
    button(page, "Share").click()
    expect(title).to_have_value("The door")
    with page.expect_download() as download:
        button(page, ".html").click()
    assert download.value.suggested_filename == "the-door.html"
    file = tmp_path / "story.html"
    download.value.save_as(file)
    with fresh_page(browser, 60_000, offline=True, **PHONE) as reader:
        said: list[str] = []
        reader.on("console", lambda message: said.append(message.text))
        reader.goto(file.as_uri())
        reader.locator("inkling-reader[ready]").wait_for()
        assert reader.title() == "The door"
        assert text(reader) == told.strip()
        assert reader.get_by_text("Lily and fast").is_visible()
        reader.locator(".word").nth(8).click()
        card = reader.get_by_role("dialog", name="The odds of a word")
        expect(card.locator(".bars li")).to_have_count(10)
        reader.keyboard.press("Escape")
        expect(card).to_be_hidden()
        button(reader, "Deutsch").click()
        expect(button(reader, "Nacht")).to_be_visible()
        assert violations(reader) == []
        assert reader.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert said == []


def test_pictures_files_and_a_book_are_saved(page: Page, tmp_path: Path) -> None:
    written(page, "The moon was lonely")
    link_of(page)
    for part in ("picture", "code"):
        image = page.locator(f'[data-part="{part}"]')
        expect(image).to_be_visible()
        expect(image).to_have_js_property("complete", True)
    picture = page.locator('[data-part="picture"]')
    expect(picture).to_have_js_property("naturalWidth", 1200)
    page.get_by_label("For a phone").check()
    expect(picture).to_have_js_property("naturalWidth", 1080)
    for name, ending in (("Save the picture", "png"), (".txt", "txt"), (".epub", "epub")):
        with page.expect_download() as download:
            button(page, name).click()
        assert download.value.suggested_filename.endswith(ending)
    # A book: this story, and one whose link somebody sent.
    page.get_by_text("A book of stories").click()
    button(page, "Add this story").click()
    link = page.get_by_label("A link with the whole story").input_value()
    page.get_by_label("Links that others sent you").fill(f"{link} Tom B.\n")
    button(page, "Add these").click()
    expect(page.locator('[data-part="book-list"] li')).to_have_count(2)
    page.get_by_label("Title of the book").fill("Ours")
    with page.expect_download() as download:
        button(page, "Save to print (PDF)").click()
    download.value.save_as(tmp_path / "book.pdf")
    book = PdfReader(tmp_path / "book.pdf")
    assert book.metadata is not None and book.metadata.title == "Ours"
    assert "Tom B. and fast" in book.pages[3].extract_text()
    # The book stays in this browser.
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    link_of(page)
    expect(page.locator('[data-part="book-count"]')).to_have_text("(2)")
    page.get_by_text("A book of stories").click()
    page.get_by_role("button", name="Remove: ").first.click()
    expect(page.locator('[data-part="book-count"]')).to_have_text("(1)")
    # A line that is no link is told at once, and spoils no other.
    page.get_by_label("Links that others sent you").fill(
        f"https://example.org/x Ann\n<{link}>, Zoë"
    )
    button(page, "Add these").click()
    status = page.locator(".sharing [role=status]")
    expect(status).to_contain_text("Line 1 was not added: This link is incomplete")
    expect(page.locator('[data-part="book-count"]')).to_have_text("(2)")
    expect(page.get_by_label("Links that others sent you")).to_have_value(
        "https://example.org/x Ann"
    )
    # What no link holds is saved all the same; a busy server is asked again.
    page.evaluate(
        "const writer = document.querySelector('inkling-writer'), [run] = writer.doc.runs;"
        "writer.doc.runs = Array.from({ length: 510 }, () => run);"
        "const tokens = Array.from({ length: 510 }, (_, k) => ({ ...writer.tokens[k % 5], r: k }));"
        "writer.doc.branches[writer.doc.current].tokens = tokens;"
        "writer.showTokens(); writer.sharePanel.open();"
    )
    expect(status).to_contain_text("the model wrote it in 510 pieces, and a link can hold 500")
    expect(page.get_by_label("A link with the whole story")).to_be_hidden()
    expect(picture).to_have_js_property("naturalWidth", 1200)
    busy = {"status": 429, "headers": {"retry-after": "0"}, "body": "{}"}
    page.route("**/story.txt", lambda route: route.fulfill(**busy), times=1)
    with page.expect_download() as download:
        button(page, ".txt").click()
        expect(status).to_contain_text("Many people are writing right now")
    download.value.save_as(tmp_path / "long.txt")
    told = page.evaluate("document.querySelector('inkling-writer').sheet.text")
    assert told.strip() in (tmp_path / "long.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", [PHONE, DESK], indirect=True)
def test_the_panel_is_for_everybody(page: Page) -> None:
    written(page, "The moon was lonely")
    link_of(page)
    assert violations(page) == []
    button(page, "Show the code large, for a classroom").click()
    expect(page.locator("dialog img")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    button(page, "Close").first.click()
    expect(page.locator(".sharing")).to_be_hidden()


def test_the_devices_own_sheet_gets_link_and_picture(browser: Browser, address: str) -> None:
    """Headless Chromium has none: this one notes what it is given."""
    with fresh_page(browser, 60_000) as page:
        page.add_init_script(
            "navigator.canShare = () => true; navigator.share = async (what) => {"
            "const files = what.files.map((file) => file.type);"
            "document.body.dataset.sent = JSON.stringify({ ...what, files }); };"
        )
        open_page(page, address)
        written(page, "The moon was lonely")
        link = link_of(page)
        button(page, "Send…").click()
        given = json.loads(page.locator("body[data-sent]").get_attribute("data-sent") or "")
    assert given["url"] == link and given["files"] == ["image/png"]
    assert given["title"].startswith("The moon was lonely")
