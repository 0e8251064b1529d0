"""What a visitor of the running app meets: words with their odds, and nothing that gets lost."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import threading
import urllib.parse

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import (
    DESK,
    PHONE,
    SEED,
    button,
    fresh_page,
    generate,
    open_page,
    set_field,
    set_seed,
    sheet,
    show_panel,
    text,
)


def choose_slow(page: Page) -> None:
    """The model whose stories take long enough for a Stop."""
    page.get_by_label("Model", exact=True).select_option("slow")


def until_longer(page: Page, story: str) -> None:
    """Wait for more words than those of a text that is there."""
    expect(sheet(page)).not_to_have_text(story)


def test_the_html_names_every_module_that_is_loaded(page: Page) -> None:
    """The browser requests all of them at once, and none that the page does not need yet."""
    linked = page.evaluate(
        "[...document.querySelectorAll('[rel=modulepreload]')].map((l) => l.href)"
    )
    loaded = page.evaluate("""
        performance.getEntriesByType('resource').map((entry) => entry.name)
            .filter((name) => name.endsWith('.js') && !name.endsWith('/start_failure.js'))
    """)
    assert len(linked) == len(set(linked)) > 40
    assert set(loaded) == set(linked)


def test_words_arrive_and_stop_stops(page: Page) -> None:
    choose_slow(page)
    set_field(page, "length", 1000)
    set_seed(page)
    sheet(page).click()
    page.keyboard.type("Once upon a time")
    page.keyboard.press("Control+Enter")
    page.locator(".word").nth(10).wait_for(state="attached")
    expect(page.locator(".note")).to_contain_text("per second")
    page.keyboard.press("Escape")
    expect(page.locator(".note")).to_contain_text("Stopped.")
    expect(button(page, "Continue")).to_be_visible()
    story = text(page)
    assert story.startswith("Once upon a time")
    # Continue adds to exactly what was there when it stopped.
    set_field(page, "length", 8)
    button(page, "Continue").click()
    until_longer(page, story)
    expect(button(page, "Continue")).to_be_visible()
    assert text(page).startswith(story)


def test_the_same_seed_tells_the_same_story_and_a_new_one_another(page: Page) -> None:
    page.get_by_role("button", name="The moon was lonely, so").click()
    first = generate(page)
    button(page, "Undo").click()
    page.get_by_text("More", exact=True).click()
    page.get_by_label("A new seed each time").check()
    button(page, "Generate").click()
    expect(page.locator(".live")).to_contain_text("Seed")
    expect(button(page, "Continue")).to_be_visible()
    seed = page.locator("#ink-seed").input_value()
    other = text(page)
    assert seed != str(SEED) and other != first
    button(page, "Undo").click()
    page.get_by_label("Seed", exact=True).fill(seed)
    expect(page.get_by_label("A new seed each time")).not_to_be_checked()
    button(page, "Generate").click()
    expect(page.locator(".live")).to_contain_text(f"Seed {seed}")
    expect(button(page, "Continue")).to_be_visible()
    assert text(page) == other
    button(page, "Undo").click()
    assert generate(page) == first


def test_every_word_has_its_odds_and_turns_the_story(page: Page) -> None:
    page.get_by_role("button", name="One day, Lily found").click()
    story = generate(page)
    page.wait_for_function("document.querySelector('inkling-writer').state.now.core")
    page.get_by_label("Show the odds").check()
    expect(page.locator('.word[data-odds=""]')).to_have_count(0)
    page.locator(".word").nth(14).hover()
    card = page.get_by_role("dialog", name="The odds of a word")
    expect(card).to_be_visible()
    other = card.locator(".bars li:not(.chosen) button").nth(1)
    other.click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    assert text(page) != story
    show_panel(page, "Branches")
    page.locator(".branches .go").first.click()
    assert text(page) == story


def test_eight_ways_at_once(page: Page) -> None:
    page.get_by_role("button", name="Tom and his robot").click()
    set_seed(page)
    button(page, "Eight versions").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Generate")).to_be_visible()
    texts = page.locator(".choices li p").all_text_contents()
    assert len(set(texts)) == 8


def test_a_wrong_seed_or_a_word_that_is_refused_is_one_sentence(page: Page) -> None:
    story = generate(page)
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Words to avoid").fill("x" * 300)
    button(page, "Continue").click()
    expect(page.locator(".live")).to_contain_text("Nothing was written:")
    expect(page.locator(".live")).to_contain_text("words of 1 to 100 letters")
    assert text(page) == story


class Wire:
    """A line to the app that can be cut: what it carries breaks off, and nobody gets through."""

    def __init__(self, address: str) -> None:
        parts = urllib.parse.urlsplit(address)
        self.target = (parts.hostname, parts.port)
        self.server = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        self.held: list[socket.socket] = []
        self.is_cut = False
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.server.accept()
                if self.is_cut:
                    near.close()
                    continue
                far = socket.create_connection(self.target)
                self.held += [near, far]
                for one, other in ((near, far), (far, near)):
                    threading.Thread(target=self.carry, args=(one, other), daemon=True).start()

    def carry(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                other.sendall(data)
            other.shutdown(socket.SHUT_WR)

    def cut(self) -> None:
        self.is_cut = True
        for end in self.held:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self.held.clear()


def test_a_lost_connection_loses_nothing(browser: Browser, address: str) -> None:
    wire = Wire(address)
    with fresh_page(browser, 60_000) as page:
        open_page(page, wire.address)
        choose_slow(page)
        set_field(page, "length", 1000)
        set_seed(page)
        sheet(page).click()
        page.keyboard.type("The moon")
        button(page, "Generate").click()
        page.locator(".word").nth(8).wait_for(state="attached")
        wire.cut()
        expect(page.locator(".live")).to_contain_text("connection was lost")
        story = text(page)
        assert story.startswith("The moon")
        button(page, "Continue").click()
        expect(page.locator(".live")).to_contain_text("connection was lost")
        assert text(page) == story
        wire.is_cut = False
        set_field(page, "length", 8)
        button(page, "Continue").click()
        until_longer(page, story)
        assert text(page).startswith(story)
        wire.cut()
        wire.server.close()


def test_another_model_reads_the_same_text(page: Page) -> None:
    story = generate(page)
    page.get_by_label("Model", exact=True).select_option("slow")
    assert text(page) == story
    show_panel(page, "The model")
    facts = page.locator('[data-part="facts"]')
    for fact in ("slow", "made-up stories", "12.34", "0.567"):
        expect(facts).to_contain_text(fact)
    assert len(generate(page, 8)) > len(story)


@pytest.mark.parametrize("page", [PHONE, DESK], indirect=True)
def test_programs_are_told_how_to_ask(page: Page) -> None:
    page.evaluate("document.fonts.ready.then(() => true)")  # a typeface that comes moves the link
    show_panel(page, "The model")
    page.get_by_role("link", name="For programs: the API").click()
    for name in ("/generate", "/score", "/candidates", "/branch"):
        expect(page.get_by_role("heading", name=name)).to_be_visible()
    expect(page.locator("#endpoints")).to_contain_text("top_k: int, 40 if not given")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    done = subprocess.run(
        ["bash", "-c", page.locator("#curl").inner_text()], capture_output=True, encoding="utf-8"
    )
    assert done.stdout.startswith("event: generating"), done.stdout + done.stderr
    assert "Once upon a time" in done.stdout
    page.get_by_role("link", name="Back to the stories").click()
    page.locator("inkling-writer[ready]").wait_for()


def test_eight_tabs_of_one_browser_write_at_once(browser: Browser, address: str) -> None:
    """More than the six connections of a browser; all with one seed, so that they tell the same."""
    context = browser.new_context(locale="en-GB", **DESK)
    pages = [context.new_page() for _ in range(8)]
    for page in pages:
        open_page(page, address)
        choose_slow(page)
    for page in pages:
        page.evaluate(
            """() => {
              for (const [name, value] of [["seed", 7], ["length", 30]]) {
                const field = document.querySelector(`#ink-${name}`);
                field.value = value;
                field.dispatchEvent(new Event("input", { bubbles: true }));
              }
              document.querySelector('[data-part="generate"]').click();
            }"""
        )
    for page in pages:
        expect(button(page, "Continue")).to_be_visible(timeout=120_000)
    stories = {text(page) for page in pages}
    context.close()
    assert len(stories) == 1


@pytest.mark.parametrize("page", [PHONE], indirect=True)
def test_generate_is_in_reach_from_the_settings(page: Page) -> None:
    show_panel(page, "The model")
    page.locator("summary", has_text="More").click()
    page.locator("#ink-banned_words").scroll_into_view_if_needed()
    for part in ("generate", "again", "eight", "undo", "redo"):
        expect(page.locator(f'[data-part="{part}"]')).to_be_in_viewport(ratio=1)
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    end = page.get_by_role("link", name="For programs: the API").bounding_box()
    bar = page.locator(".actions").bounding_box()
    assert end and bar
    assert end["y"] + end["height"] <= bar["y"]
