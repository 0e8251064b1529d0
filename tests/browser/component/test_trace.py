"""Where did that come from: what stands in the training stories is underlined and shown."""

from __future__ import annotations

import base64
import json
from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.actions import (
    button,
    look_closer,
    on_both_screens,
    text,
    type_at_end,
    violations,
    write,
)
from tests.paths import ROOT

ANSWER = {
    "runs": [
        {"start": 0, "end": 16, "words": 4, "rarity": 24.5, "stories": 3, "sources": [
            {"story": 7, "before": "", "text": "Once upon a time", "after": ", Tom <b>ran."},
            {"story": 9, "before": "So: ", "text": "Once upon a time", "after": " it was."},
        ]},
        {"start": 10, "end": 24, "words": 4, "rarity": 40.0, "stories": 1, "sources": [
            {"story": 1, "before": "In ", "text": "a time the fox", "after": " slept."},
        ]},
    ],
    "words": 8, "copied": 6, "share": 0.75, "corpus": "sample", "held_out": 0.25,
    "certain": None, "false_positives": 0.0,
}  # fmt: skip
SERVER = """answer => {
  Object.assign(window.source, {
    isServer: true,
    once: async (name, request) => {
      window.source.note(name, request);
      return structuredClone(answer);
    },
  });
  window.writer.views.changed();
}"""


def opened(page: Page, answer: dict[str, Any] = ANSWER) -> Any:
    """The view of a story of eight words, with a server that answers so."""
    page.evaluate(SERVER, answer)
    write(page, "Once upon a time", length=4)
    look_closer(page, "Where did that come from?")
    return page.locator(".view-trace")


@on_both_screens
def test_a_part_shows_the_stories_that_it_stands_in(page: Page) -> None:
    view = opened(page)
    share = view.get_by_role("status")
    expect(share).to_have_text(
        "75% of the words stand in the training stories. "
        "In stories that the model has never read it is 25%."
    )
    calls = page.evaluate("window.source.asked.filter(([name]) => name === 'page_trace')")
    assert [(one["model"], one["text"][:16]) for _, one in calls] == [("tiny", "Once upon a time")]
    parts = view.locator(".copied")
    story = text(page)
    assert parts.all_text_contents() == [story[:10], story[10:16], story[16:24]]
    assert [part.get_attribute("class") for part in parts.all()] == [
        "copied copied-1",
        "copied copied-3",
        "copied copied-3",
    ]
    assert view.locator("li button").all_text_contents() == [
        story[10:24],
        "Once upon a time",
    ]
    parts.first.click()
    expect(view.get_by_text("4 words in a row, in 3 training stories")).to_be_visible()
    quotes = view.locator("blockquote")
    assert quotes.all_text_contents() == [
        "Once upon a time, Tom <b>ran.",
        "So: Once upon a time it was.",
    ]
    assert quotes.first.locator("mark").text_content() == "Once upon a time"
    parts.nth(2).focus()
    page.keyboard.press("Enter")
    expect(view.get_by_text("4 words in a row, in one training story")).to_be_visible()
    expect(quotes).to_have_count(1)
    expect(parts.nth(2)).to_have_class("copied copied-3 chosen")
    assert violations(page, ".view-trace") == []


def test_another_story_is_looked_up_and_a_refusal_is_shown(page: Page) -> None:
    view = opened(page, ANSWER | {"runs": [], "copied": 0, "share": 0.0, "held_out": None})
    share = view.get_by_role("status")
    expect(share).to_have_text("No long part of this story stands in the training stories.")
    page.evaluate("window.source.fails = true")
    button(page, "Close").click()
    type_at_end(page, " It rained.")
    look_closer(page, "Where did that come from?")
    expect(share).to_have_text("the model is away.")
    expect(view.locator(".copied")).to_have_count(0)


def test_a_page_without_a_server_reads_the_filter(page: Page) -> None:
    vectors = json.loads((ROOT / "tests/web/vectors.json").read_text(encoding="utf-8"))
    content = base64.b64decode(vectors["run_filters"]["content"])
    page.route("**/runs.filter", lambda route: route.fulfill(body=content))
    page.evaluate(
        "() => { window.writer.models[0].trace = 'runs.filter'; window.writer.views.changed(); }"
    )
    write(page, "Tom and his dog went to the park to play", length=3)
    look_closer(page, "Where did that come from?")
    view = page.locator(".view-trace")
    expect(view.locator(".copied")).to_have_text("Tom and his dog went to the park to play")
    expect(view.get_by_text("It finds every run of 9 words or more")).to_be_visible()
    view.locator(".copied").click()
    expect(view.get_by_text("10 words in a row", exact=True)).to_be_visible()
    page.unroute("**/runs.filter")
    page.route("**/runs.filter", lambda route: route.abort())
    page.evaluate("() => { window.writer.models[0].trace = './runs.filter?2'; }")
    button(page, "Close").click()
    type_at_end(page, " Then.")
    look_closer(page, "Where did that come from?")
    expect(view.get_by_role("status")).to_contain_text("could not be looked up")
