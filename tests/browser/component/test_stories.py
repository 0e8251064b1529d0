"""The component by itself: the list of stories, and storage that fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import (
    button,
    fresh_page,
    link_of,
    on_both_screens,
    open_link,
    open_page,
    sheet,
    text,
    turn,
    until_kept,
    violations,
    write,
)

READY = "inkling-writer[ready]"
DENIED = """
for (const name of ["indexedDB", "localStorage", "sessionStorage", "BroadcastChannel"]) {
  Object.defineProperty(window, name, { get() { throw new DOMException("no", "SecurityError"); } });
}"""
SILENT = "indexedDB.open = () => ({});"
MISSING = """for (const name of ["indexedDB", "BroadcastChannel"]) {
  Object.defineProperty(window, name, { value: undefined });
}"""


def reload(page: Page) -> None:
    page.reload()
    page.locator(READY).wait_for()


def titles(page: Page) -> list[str]:
    return page.locator(".stories .title").all_text_contents()


@on_both_screens
def test_the_list_of_stories_is_used_with_the_keyboard(page: Page, tmp_path: Path) -> None:
    first = write(page, "Once upon a time", length=3)
    button(page, "New story").click()
    page.keyboard.insert_text("x")
    reload(page)  # nothing is lost by New story, one letter and a reload
    assert text(page) == "x"
    button(page, "Your stories").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".stories li")).to_have_count(2)
    expect(page.get_by_role("heading", name="Your stories")).to_be_focused()
    assert titles(page) == ["x", first]
    assert violations(page, "inkling-writer") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Rename.
    button(page, f"Rename: {first}").focus()
    page.keyboard.press("Enter")
    page.keyboard.insert_text("The <b>fox</b>")
    page.keyboard.press("Enter")
    expect(page.locator(".stories .title").nth(1)).to_have_text("The <b>fox</b>")
    # Delete the one that is open, and bring it back.
    button(page, "Delete: x").click()
    expect(page.locator(".stories li")).to_have_count(1)
    assert text(page) == ""
    button(page, "Bring it back").click()
    expect(page.locator(".stories li")).to_have_count(2)
    expect(sheet(page)).to_have_text("x")
    # Open with the arrow keys.
    page.locator(".stories .go").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(sheet(page)).to_have_text(first)
    expect(page.locator(".stories")).to_be_hidden()
    # A file of all, and stories from it; Escape closes the list.
    button(page, "Your stories").click()
    with page.expect_download() as saved:
        button(page, "Save all as a file").click()
    file = tmp_path / "stories.json"
    saved.value.save_as(file)
    kept = json.loads(file.read_text(encoding="utf-8"))["stories"]
    assert [(one["name"], one["text"]) for one in kept] == [("The <b>fox</b>", first), ("", "x")]
    button(page, "Delete: x").click()
    expect(page.locator(".stories li")).to_have_count(1)
    page.locator("#ink-stories-file").set_input_files(file)
    expect(page.locator(".stories [role=status]")).to_have_text("Stories added: 1.")
    assert titles(page) == ["x", "The <b>fox</b>"]
    file.write_text("not stories")
    page.locator("#ink-stories-file").set_input_files(file)
    expect(page.locator(".stories [role=status]")).to_contain_text("There are no stories in")
    page.keyboard.press("Escape")
    expect(page.locator(".stories")).to_be_hidden()
    expect(button(page, "Your stories")).to_be_focused()


def test_a_link_in_the_same_tab_and_another_model_lose_nothing(page: Page, files: str) -> None:
    first = write(page, "Once upon a time", length=3)
    link = link_of(page)
    button(page, "New story").click()
    page.keyboard.insert_text("My own story")
    until_kept(page)
    open_page(page, link)
    expect(page.locator(".live")).to_contain_text("Verified: the model wrote exactly")
    reload(page)
    assert text(page) == first
    button(page, "Your stories").click()
    assert "My own story" in titles(page)
    # Undo is kept with the story.
    button(page, "Your stories").click()
    page.evaluate("text => writer.edits.type(text)", f"{first} more")
    until_kept(page)
    reload(page)
    button(page, "Undo").click()
    assert text(page) == first
    # The menu shows the model that wrote a story; without it the text stays.
    page.get_by_label("Model", exact=True).select_option("other")
    page.evaluate("text => writer.edits.type(text)", f"{first} again")
    until_kept(page)
    reload(page)
    expect(page.get_by_label("Model", exact=True)).to_have_value("other")
    button(page, "Undo").click()
    button(page, "Undo").click()
    assert text(page) == first
    expect(page.get_by_label("Model", exact=True)).to_have_value("tiny")


def test_a_link_says_what_the_page_shows_after_a_change_of_model(page: Page) -> None:
    write(page, "Once upon a time ", length=6)
    turned = turn(page, 2)
    page.get_by_label("Model", exact=True).select_option("other")
    alone = link_of(page)
    page.get_by_label("With all branches").check()
    field = page.get_by_label("A link with the whole story")
    expect(field).not_to_have_value(alone)
    link = field.input_value()
    button(page, "Close").click()
    open_link(page, link)
    expect(page.locator(".live")).to_contain_text("A person wrote all of this")
    expect(page.get_by_label("Model", exact=True)).to_have_value("other")
    assert text(page) == turned
    expect(page.locator(".branches li")).to_have_count(2)
    # A tokenizer that reads another text changes nothing, and no link says what is not there.
    page.evaluate("source.score = async () => ({ tokens: [['SOMETHING ELSE', 1, 5]] })")
    page.evaluate("writer.begin('Once')")
    button(page, "Share").click()
    expect(page.locator(".note")).to_contain_text("other cannot read every character")
    assert text(page) == "Once"
    expect(page.locator(".sharing")).to_be_hidden()


@pytest.mark.parametrize("broken", [DENIED, SILENT, MISSING], ids=["denied", "silent", "missing"])
def test_storage_that_is_not_there_is_said(browser: Browser, files: str, broken: str) -> None:
    # The test's own source keeps what it heard in localStorage.
    own = "const localStorage = { getItem: () => null, setItem() {} };"
    with fresh_page(browser, 60_000) as page:
        page.add_init_script(broken)
        page.route(
            files,
            lambda route: route.fulfill(
                response=(found := route.fetch()),
                body=found.text().replace("const words =", f"{own} const words ="),
            ),
        )
        open_page(page, files)
        expect(page.locator(".note")).to_contain_text("keeps nothing for this page")
        story = write(page, length=3)
        button(page, "Deutsch").click()
        button(page, "Nacht").click()
        button(page, "Deine Geschichten").click()
        expect(page.locator('[data-part="stories-hint"]')).to_contain_text(
            "speichert auf dieser Seite nichts"
        )
        with page.expect_download() as saved:
            button(page, "Alle als Datei speichern").click()
        assert json.loads(saved.value.path().read_text())["stories"][0]["text"] == story


def test_full_storage_is_said_and_can_be_saved_as_a_file(browser: Browser, files: str) -> None:
    origin = {"origin": files.rstrip("/")}
    stories = ["fox " * 4000, "moon " * 3000]
    with fresh_page(browser, 60_000) as page:
        storage = page.context.new_cdp_session(page)
        storage.send("Storage.overrideQuotaForOrigin", origin | {"quotaSize": 20_000})
        open_page(page, files)
        for story in stories:
            page.evaluate("text => writer.begin(text)", story)
            page.evaluate("writer.stories.store.flush()")
        expect(page.locator(".note")).to_contain_text("no room left in this browser")
        button(page, "Your stories").click()
        with page.expect_download() as saved:
            button(page, "Save all as a file").click()
        kept = json.loads(saved.value.path().read_text())["stories"]
        assert [story["text"] for story in kept] == stories[::-1]
        reload(page)
        assert text(page) == stories[1]
        storage.send("Storage.overrideQuotaForOrigin", origin)
        page.evaluate("writer.edits.type('at last')")
        until_kept(page)
        reload(page)
        assert text(page) == "at last"
