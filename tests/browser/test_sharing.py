"""A story goes from one visitor to another: by link, code, picture, file and book."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from pypdf import PdfReader

from playground.stories.story import Story
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
    story = written(page, "The moon was lonely")
    link = link_of(page)
    assert link.startswith(f"{address}/s/")
    # The model has few tokens in its sight: what is shown fits on the screen all the same.
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    with fresh_page(browser, 60_000, **PHONE) as other:
        other.goto(link)
        expect(other.locator(".live")).to_contain_text("Verified: the model wrote exactly")
        assert text(other) == story
        assert other.url == f"{address}/"
        assert other.title().startswith("The moon was lonely")  # as the link's page has it
        button(other, "Deutsch").click()
        assert other.title().startswith("The moon was lonely")
        button(other, "Español").click()
        button(other, "English").click()
        other.reload()
        other.locator("inkling-writer[ready]").wait_for()
        assert text(other) == story


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
    story = written(page, "One day, Lily")
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
        messages: list[str] = []
        reader.on("console", lambda message: messages.append(message.text))
        reader.goto(file.as_uri())
        reader.locator("inkling-reader[ready]").wait_for()
        assert reader.title() == "The door"
        assert text(reader) == story.strip()
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
        assert messages == []


def test_files_and_a_book_are_made_with_the_servers_records(page: Page, tmp_path: Path) -> None:
    """component/test_files.py looks at what is in them; here the app says the records and texts."""
    story = written(page, "The moon was lonely")
    link_of(page)
    with page.expect_download() as download:
        button(page, ".json").click()
    assert download.value.suggested_filename.startswith("the-moon-was-lonely")
    record = Story.from_json(Path(download.value.path()).read_text(encoding="utf-8"))
    assert record.text == story
    assert [token.draw is None for token in record.tokens][-16:] == [False] * 16
    page.get_by_text("A book of stories").click()
    button(page, "Add this story").click()
    link = page.get_by_label("A link with the whole story").input_value()
    page.get_by_label("Links that others sent you").fill(f"{link} Tom B.\n")
    button(page, "Add these").click()
    page.get_by_label("Title of the book").fill("Ours")
    page.evaluate("window.print = () => {}")
    button(page, "Save to print (PDF)").click()
    expect(page).to_have_title("Ours")
    book = tmp_path / "book.pdf"
    page.pdf(path=book, format="A5")
    pages = [" ".join(one.extract_text().split()) for one in PdfReader(book).pages]
    assert pages[0].startswith("Ours") and pages[1].startswith("Contents")
    assert "Tom B. and fast" in pages[3]
    assert all(" ".join(story.split()[:9]) in text for text in pages[2:4])


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
