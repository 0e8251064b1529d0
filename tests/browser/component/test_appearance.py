"""The component by itself: its looks, its languages, what every visitor can reach."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import (
    DAY,
    button,
    fresh_page,
    look_closer,
    on_both_screens,
    open_page,
    sheet,
    show_panel,
    violations,
    write,
)


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], indirect=True)
def test_forced_colours_leave_the_controls(page: Page) -> None:
    write(page)
    appearance = "node => getComputedStyle(node).appearance"
    assert page.locator("#ink-temperature").evaluate(appearance) == "auto"
    assert page.get_by_label("Show the odds").evaluate(appearance) == "auto"


def test_night_follows_the_system_until_a_person_chooses(page: Page) -> None:
    body, system = page.locator("body"), page.emulate_media
    expect(body).not_to_have_class("dark")
    for scheme in ("dark", "light", "dark"):
        system(color_scheme=scheme)
        expect(body).to_have_class("dark" if scheme == "dark" else "")
    page.reload()
    expect(body).to_have_class("dark")  # nothing was chosen
    system(color_scheme="light")
    expect(body).to_have_class("")
    button(page, "Night").click()
    expect(body).to_have_class("dark")
    for scheme in ("dark", "light"):
        system(color_scheme=scheme)
    page.reload()
    button(page, "Day").wait_for()
    expect(body).to_have_class("dark")


# 1280 by 1024 pixels, magnified four times.
@pytest.mark.parametrize("page", [{"viewport": {"width": 320, "height": 256}}], indirect=True)
def test_everything_is_in_reach_when_it_is_magnified_four_times(page: Page) -> None:
    beyond = """() => [...document.querySelectorAll("body *:not(.live)")].filter((node) => {
      const { left, right, width } = node.getBoundingClientRect();
      return width && (left < 0 || right > innerWidth);
    }).map((node) => node.outerHTML.slice(0, 80))"""
    write(page, length=60)
    page.locator("#ink-odds").check()
    button(page, "Share").click()
    expect(page.locator("#ink-link")).to_be_focused()
    assert page.evaluate(beyond) == []
    page.locator("[data-share=close]").click()
    page.locator(".word").nth(5).click()
    expect(page.locator(".card")).to_be_visible()
    assert page.evaluate(beyond) == []
    button(page, "Continue").scroll_into_view_if_needed()
    bar = page.locator(".actions").evaluate("node => getComputedStyle(node).position")
    assert bar == "static"  # it covers nothing
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@on_both_screens
def test_paper_is_printed_alone(page: Page) -> None:
    write(page)
    page.emulate_media(media="print")
    expect(sheet(page)).to_be_visible()
    for part in ("header", "aside", ".actions", ".ruler"):
        expect(page.locator(f"inkling-writer {part}").first).to_be_hidden()


@on_both_screens
def test_right_to_left_is_laid_out_so(page: Page) -> None:
    write(page, "كان يا ما كان", length=2)
    first, last = (page.locator(".word").nth(k).bounding_box() for k in (0, 2))
    assert first and last
    assert first["x"] > last["x"]
    box = sheet(page).bounding_box()
    assert box
    assert first["x"] + first["width"] > box["x"] + box["width"] - 10  # at the right


def test_what_has_slid_out_of_sight_is_shown(page: Page) -> None:
    write(page, length=80)
    expect(page.locator('[data-part="context"]')).to_contain_text("It no longer sees the 31 before")
    unseen = page.locator(".word[data-unseen]").count()
    assert unseen == 31  # of 84 tokens and the start, in quarters of 64
    expect(page.locator('[data-part="context"]')).to_contain_text("the last 53 tokens (at most 64)")


def in_english(page: Page) -> None:
    """From German: the button goes through the languages."""
    page.get_by_role("button", name="Español").click()
    page.get_by_role("button", name="English").click()


@pytest.mark.parametrize("page", [{"locale": "de-DE"}], indirect=True)
def test_the_page_speaks_the_reader_s_language(page: Page) -> None:
    expect(button(page, "Erzählen")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.get_by_role("button", name="Español").click()
    expect(button(page, "Escribir")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(button(page, "Generate")).to_be_visible()
    page.reload()
    expect(button(page, "Generate")).to_be_visible()


@pytest.mark.parametrize("page", [{"locale": "de-DE"}], indirect=True)
def test_a_child_is_told_what_kind_of_model_it_is(page: Page) -> None:
    kind = page.locator('[data-part="kind"]')
    show_panel(page, "Das Modell")
    expect(kind).to_contain_text("Es hat 14.755 Geschichten gelesen")
    in_english(page)
    expect(kind).to_contain_text("read 14,755 stories until it could continue one")
    page.get_by_label("Model", exact=True).select_option("other")
    expect(kind).to_contain_text("read many texts until it could continue one")


@pytest.mark.parametrize("page", [{"locale": "de-DE"}], indirect=True)
def test_a_slider_shows_how_the_model_learned_to_write(page: Page) -> None:
    show_panel(page, "Untersuchen")
    button(page, "Wie das Modell schreiben lernte").click()
    part = page.locator(".view-learning")
    slider, story, tokens = (
        part.get_by_role("slider"),
        part.locator(".tale"),
        part.locator(".about"),
    )
    expect(story).to_have_text("Once there was")
    slider.press("Home")
    expect(story).to_have_text("Once <b>ttt")  # text, no markup
    expect(tokens).to_have_text(
        "Derselbe Anfang, nachdem das Modell 4.096 Tokens gelesen hatte. Verlust: 10,5."
    )
    expect(slider).to_have_attribute("aria-valuetext", re.compile("Verlust: 10,5."))
    slider.press("ArrowRight")
    expect(story).to_have_text("Once upon a time")
    part.locator("circle.dot").first.click(force=True)
    expect(story).to_have_text("Once <b>ttt")
    slider.press("End")
    expect(story).to_have_text("Once there was")
    in_english(page)
    expect(tokens).to_have_text("The same opening, after the model had read 50,000,000 tokens.")
    expect(story).to_have_text("Once there was")
    page.locator("#ink-model").select_option("other")  # of which nothing is known
    expect(part).to_be_hidden()
    show_panel(page, "Look closer")
    expect(button(page, "How the model learned to write")).to_be_hidden()
    page.locator("#ink-model").select_option("tiny")
    expect(button(page, "How the model learned to write")).to_be_visible()


@on_both_screens
def test_nothing_is_wrong_by_axe_in_any_state(page: Page) -> None:
    def check(state: str) -> None:
        assert violations(page, "inkling-writer") == [], state
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state

    check("empty")
    look_closer(page, "How the model learned to write")
    expect(page.get_by_role("slider", name="How the model learned to write")).to_be_visible()
    check("learned")
    page.keyboard.press("Escape")
    write(page, length=20)
    check("written")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Show the odds").check()
    button(page, "What do these mean?").click()
    check("odds")
    for panel in ("Branches", "The model", "Look closer", "The next word"):
        show_panel(page, panel)
        check(panel)
    page.locator(".word").nth(6).click()
    expect(page.locator(".card")).to_be_visible()
    check("card")
    page.locator(".card .bars button").nth(3).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    button(page, "Eight versions").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Continue")).to_be_visible()
    check("eight")


@on_both_screens
def test_what_can_be_pressed_is_large_and_the_actions_are_in_reach(page: Page) -> None:
    """44 pixels for a finger. For a mouse the bars, sliders and "More" are closer together."""
    write(page, length=200)
    is_phone = page.viewport_size["width"] < 860
    small = page.evaluate(
        """least => [...writer.querySelectorAll(
              'button, select, summary, input[type=range], .switch')]
            .filter(node => node.checkVisibility()
              && (node.offsetHeight < Math.min(least, 43.5) || node.offsetWidth < 43.5
                || (node.offsetHeight < 43.5 && !node.matches('.bar, [type=range], summary'))))
            .map(node => node.outerHTML.slice(0, 80))""",
        44 if is_phone else 26,
    )
    assert small == []
    page.evaluate("scrollTo(0, 0)")
    for name in ("Continue", "Try again", "Eight versions", "Undo", "Redo"):
        expect(button(page, name)).to_be_in_viewport(ratio=1)
    assert page.locator(".actions").evaluate("bar => bar.scrollWidth <= bar.clientWidth")
    assert page.locator(".actions").evaluate("bar => bar.offsetHeight") < 76  # one line
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator(".word").last.bounding_box()
    actions = page.locator(".actions").bounding_box()
    assert last and actions
    assert last["y"] + last["height"] <= actions["y"]


@pytest.mark.parametrize("locale", ["en-GB", "de-DE", "es-ES"])
def test_the_first_screen_has_what_a_writer_needs(
    browser: Browser, files: str, locale: str
) -> None:
    screen = {"viewport": {"width": 1280, "height": 800}, "locale": locale}
    with fresh_page(browser, 60_000, **screen | DAY) as page:
        open_page(page, files)
        sheet(page).click()
        page.keyboard.insert_text("Once upon a time, there was a little fox who")
        expect(page.locator(".next .bars button")).to_have_count(12)
        for part in (
            ".sheet",
            ".actions",
            ".note",
            ".presets",
            "#ink-length",
            "#ink-pick",
            ".bars",
        ):
            expect(page.locator(part).last).to_be_in_viewport(ratio=1)
        assert page.evaluate("document.documentElement.scrollHeight <= innerHeight")
        tabs = page.get_by_role("tab").all()
        assert len({tab.bounding_box()["y"] for tab in tabs}) == 1  # in one line


@on_both_screens
def test_the_panels_are_tabs_that_arrow_keys_move_among(page: Page) -> None:
    tabs = page.get_by_role("tab")
    expect(page.locator('[role="tab"][tabindex="0"]')).to_have_count(1)
    tabs.first.focus()
    for key, chosen in (
        ("ArrowRight", "Branches"),
        ("End", "Look closer"),
        ("ArrowRight", "The next word"),
        ("ArrowLeft", "Look closer"),
        ("ArrowLeft", "The model"),
        ("Home", "The next word"),
    ):
        page.keyboard.press(key)
        tab = page.get_by_role("tab", name=chosen)
        expect(tab).to_be_focused()
        expect(tab).to_have_attribute("aria-selected", "true")
        expect(page.locator('[role="tab"][tabindex="0"]')).to_have_count(1)
        expect(page.get_by_role("tabpanel")).to_have_count(1)
        expect(page.get_by_role("tabpanel", name=chosen)).to_be_visible()
