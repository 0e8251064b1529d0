"""The component by itself: words to use, and another sentence in the place of one."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.actions import button, on_both_screens, requests, text, violations, write


@on_both_screens
def test_a_sentence_is_rewritten_and_the_rest_stays(page: Page) -> None:
    story = write(page, "Tom ran. He fell. It hurt.")
    rest = story[story.index(" It hurt.") :]
    page.evaluate("Object.assign(source, { ends: true, pace: 0 })")
    page.get_by_label("Show the odds").check()
    page.locator(".word", has_text="fell").first.hover()
    button(page, "Rewrite this sentence").click()
    offered = page.locator(".choices li")
    expect(offered.first).to_contain_text("the rest of the story", ignore_case=True)
    expect(page.locator(".note")).to_contain_text("the rest of the story stays")
    assert 1 <= offered.count() <= 8
    assert violations(page, ".choices") == []
    write_requests = requests(page, "write")[1:]
    assert all(len(one["seeds"]) == 8 for one in write_requests)
    offered.get_by_role("button").first.click()
    expect(page.locator(".branches li")).to_have_count(2)
    rewritten = text(page)
    assert rewritten != story
    assert rewritten.startswith("Tom ran.") and rewritten.endswith(rest)
    button(page, "Undo").click()
    assert text(page) == story


@on_both_screens
def test_words_to_use_are_asked_for_and_ticked_off(page: Page) -> None:
    page.locator("summary", has_text="More").click()
    page.get_by_label("Words to use").fill("time, dragon")
    page.get_by_label("Words to use").press("Tab")
    write(page, "Once upon a time", 2)
    (request,) = requests(page, "write")
    assert request["settings"]["words_to_use"] == ["time", "dragon"]
    words = page.locator(".words-to-use li")
    expect(words).to_have_text(["time: in the story", "dragon: not yet"])
    assert violations(page, ".paper footer") == []
