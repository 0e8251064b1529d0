"""The component by itself: a story becomes a link, and a link a story."""

from __future__ import annotations

import json

from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import (
    button,
    fresh_page,
    link_of,
    open_link,
    open_page,
    requests,
    show_panel,
    text,
    turn,
    write,
)


def test_a_link_carries_the_story_and_is_told_again(
    page: Page, browser: Browser, files: str
) -> None:
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Seed", exact=True).fill("77")
    story = write(page, "Once upon a time ", length=9)
    turned = turn(page, 2)
    assert turned != story
    link = link_of(page)
    assert link.startswith(f"{files}?story=")
    assert len(link) < 300
    button(page, "Copy").click()
    expect(page.locator(".sharing [role=status]")).to_have_text("The link is copied.")
    heard = page.evaluate("localStorage.getItem('heard')")
    with fresh_page(browser, 60_000) as other:
        other.add_init_script(f"localStorage.setItem('heard', {json.dumps(heard)})")
        open_page(other, link)
        expect(other.locator(".live")).to_contain_text("Verified: the model wrote exactly")
        assert text(other) == turned
        assert other.url == files
        seeds = [request["seeds"] for request in requests(other, "write")]
        assert seeds == [[77], [77]]
        authors = "words => words.map(word => word.dataset.by)"
        here, there = (tab.locator(".word").evaluate_all(authors) for tab in (page, other))
        assert there == here
        # What was on the page before the link is not lost.
        button(other, "Undo").click()
        assert text(other) == ""


def test_a_link_carries_all_branches_if_it_is_asked_to(page: Page, files: str) -> None:
    write(page, "Once upon a time ", length=9)
    turned = turn(page, 2)
    alone = link_of(page)
    page.get_by_label("With all branches").check()
    expect(page.get_by_label("A link with the whole story")).not_to_have_value(alone)
    link = page.get_by_label("A link with the whole story").input_value()
    branches = page.locator(".branches .go").all_text_contents()
    button(page, "Close").click()
    open_link(page, link)
    expect(page.locator(".live")).to_contain_text("Verified: the model wrote exactly")
    assert text(page) == turned
    assert len(page.locator(".branches .go").all_text_contents()) == len(branches) == 2
    show_panel(page, "Branches")
    page.locator(".branches .go").nth(1).click()
    assert text(page) != turned and text(page).startswith("Once upon a time")
    open_link(page, "https://example.org/a-page")
    expect(page.locator(".live")).to_contain_text("is incomplete or was changed")


def test_a_link_that_does_not_tell_the_truth_is_found_out(page: Page, files: str) -> None:
    write(page, "Once upon a time", length=6)
    page.evaluate("writer.state.now.doc.runs[0].seed += 1")  # as if somebody had put in other words
    link = link_of(page)
    open_page(page, link)
    expect(page.locator(".live")).to_contain_text("differs from word 5 on")
    page.evaluate("writer.state.now.model.fingerprint = 'e'.repeat(64)")
    foreign = link_of(page)
    open_page(page, foreign)
    expect(page.locator(".live")).to_contain_text("Written by another model (tiny)")


def test_a_link_that_is_cut_is_refused_and_the_story_stays(page: Page, files: str) -> None:
    story = write(page)
    link = link_of(page)
    for wrong in (link[:-5], f"{files}?story=", f"{files}?story=%3Cimg%20src=x%3E"):
        open_page(page, wrong)
        expect(page.locator(".live")).to_contain_text("is incomplete or was changed")
        assert text(page) == story
