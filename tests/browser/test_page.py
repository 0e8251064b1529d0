"""What a visitor meets: the words come, Stop stops, Continue goes on, on any screen."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

PHONE = {"viewport": {"width": 390, "height": 844}}
DESK = {"viewport": {"width": 1280, "height": 900}}
DAY, NIGHT = {"color_scheme": "light"}, {"color_scheme": "dark"}


def words(page: Page) -> str:
    return page.locator("#story .words").text_content() or ""


def button(page: Page, name: str):
    return page.get_by_role("button", name=name, exact=True)


def set_number(page: Page, label: str, value: str) -> None:
    field = page.get_by_role("spinbutton", name=label)
    field.fill(value)
    field.press("Tab")


def choose_fast(page: Page) -> None:
    page.get_by_label("Model", exact=True).click()
    page.get_by_role("option", name="fast").click()
    expect(page.locator("#facts")).to_contain_text("fast")


def generate(page: Page, length: int = 16) -> str:
    """Presses Generate and waits for the end."""
    set_number(page, "Length", str(length))
    button(page, "Generate").click()
    expect(page.locator("#story .note")).to_contain_text("seed")
    expect(button(page, "Generate")).to_be_visible()
    return words(page)


def test_words_arrive_and_stop_stops(page: Page) -> None:
    set_number(page, "Length", "1000")
    page.get_by_label("The beginning").fill("Once upon a time")
    place = button(page, "Generate").bounding_box()
    button(page, "Generate").click()
    expect(button(page, "Stop")).to_be_visible()
    assert button(page, "Stop").bounding_box()["x"] == place["x"]  # the same place
    expect(button(page, "Generate")).to_be_hidden()
    page.wait_for_function("document.querySelector('#story .words').textContent.length > 20")
    early = len(words(page))
    page.wait_for_function(f"document.querySelector('#story .words').textContent.length > {early}")
    expect(page.locator("#story .note")).to_contain_text("token")
    button(page, "Stop").click()
    expect(button(page, "Generate")).to_be_visible()
    expect(page.locator("#story .note")).to_contain_text("Stopped")
    told = words(page)
    page.wait_for_timeout(700)
    assert words(page) == told
    assert page.locator("#story .prompt").text_content() == "Once upon a time"
    # Continue goes on from exactly there.
    set_number(page, "Length", "16")
    button(page, "Continue").click()
    expect(page.locator("#story .note")).to_contain_text("seed")
    assert words(page).startswith(told)
    assert len(words(page)) > len(told)


def test_keys_generate_and_stop(page: Page) -> None:
    set_number(page, "Length", "1000")
    page.get_by_label("The beginning").fill("The moon")
    page.keyboard.press("Control+Enter")
    page.wait_for_function("document.querySelector('#story .words').textContent.length > 20")
    page.keyboard.press("Escape")
    expect(page.locator("#story .note")).to_contain_text("Stopped")
    expect(button(page, "Generate")).to_be_visible()


def test_the_same_seed_tells_the_same_story_and_a_new_one_another(page: Page) -> None:
    choose_fast(page)
    seed = page.get_by_role("spinbutton", name="Seed")
    page.get_by_role("button", name="The moon was lonely, so").click()
    expect(page.get_by_label("The beginning")).to_have_value("The moon was lonely, so")
    first, shown = generate(page), seed.input_value()
    expect(page.locator("#story .note")).to_contain_text(f"seed {shown}")
    other = generate(page)
    assert seed.input_value() != shown
    assert other != first
    page.get_by_label("New seed each time").uncheck()
    set_number(page, "Seed", shown)
    assert generate(page) == first


def test_continue_goes_beyond_the_length(page: Page) -> None:
    choose_fast(page)
    expect(button(page, "Continue")).to_be_hidden()  # there is nothing to continue yet
    told = generate(page, length=70)  # beyond the context of 64
    for _ in range(2):
        button(page, "Continue").click()
        page.wait_for_function(
            f"document.querySelector('#story .words').textContent.length > {len(told)}"
        )
        expect(button(page, "Continue")).to_be_visible()
        assert words(page).startswith(told)
        told = words(page)


def test_a_wrong_value_is_told_in_one_sentence_and_the_story_stays(page: Page) -> None:
    choose_fast(page)
    page.get_by_label("New seed each time").uncheck()
    told = generate(page)
    set_number(page, "Seed", "")
    button(page, "Generate").click()
    toast = page.get_by_test_id("toast-body")
    expect(toast).to_be_visible()
    assert "seed" in toast.inner_text().lower()
    assert "Traceback" not in toast.inner_text()
    expect(button(page, "Generate")).to_be_visible()
    assert words(page) == told


def test_a_story_is_shown_to_the_letter(page: Page) -> None:
    choose_fast(page)
    trick = (
        "${window.hacked = 1} {{constructor.constructor('window.hacked = 1')()}} "
        "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'> **bold** `x` \\n"
    )
    page.get_by_label("The beginning").fill(trick)
    generate(page)
    assert page.locator("#story .prompt").text_content() == trick
    assert page.evaluate("window.hacked") is None
    assert page.locator("#story img, #story script, #story strong").count() == 0


def test_every_part_has_a_name_and_the_story_is_announced(page: Page) -> None:
    for label in ("The beginning", "New seed each time"):
        expect(page.get_by_label(label)).to_be_visible()
    for label in ("Temperature", "Top-k", "Length", "Seed"):
        expect(page.get_by_role("spinbutton", name=label)).to_be_visible()
    nameless = page.evaluate(
        """[...document.querySelectorAll('main input, main textarea, main button')]
            .filter(e => e.checkVisibility() && !(e.labels?.length || e.textContent.trim()
              || e.ariaLabel || e.closest('[aria-label]'))).map(e => e.outerHTML)"""
    )
    assert nameless == []
    expect(page.locator("#story .text")).to_have_attribute("aria-live", "polite")
    facts = page.locator("#facts")
    for fact in ("slow", "made-up stories", "12.34", "0.567"):
        expect(facts).to_contain_text(fact)


@pytest.mark.parametrize(
    "page", [PHONE | DAY, PHONE | NIGHT, DESK | DAY, DESK | NIGHT], indirect=True
)
def test_it_fits_and_reads_well_by_day_and_night(page: Page) -> None:
    choose_fast(page)
    page.get_by_label("The beginning").fill("Once " + "verylongword" * 20)
    generate(page)
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    night = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) < 0.1) == night
    for part in TEXTS:
        ink, under = page.locator(part).first.evaluate(COLOURS)
        light, dark = sorted((luminance(ink), luminance(under)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, f"{part}: {ink} on {under}"


TEXTS = (
    "#title p",
    "#openings button",
    "#generate",
    "#continue",
    "#story .prompt",
    "#story .words",
    "#story .note",
    "#facts dt",
    "#facts dd + dd",
    "#prompt textarea",
    "#prompt label span",
    "#seed input",
)
COLOURS = """node => {
  const ink = getComputedStyle(node).color;
  while (getComputedStyle(node).backgroundColor === 'rgba(0, 0, 0, 0)') node = node.parentElement;
  return [ink, getComputedStyle(node).backgroundColor];
}"""


def luminance(colour: str) -> float:
    """Relative luminance of 'rgb(r, g, b)' by WCAG 2.2."""
    channels = [float(part) / 255 for part in colour.split("(")[1].rstrip(")").split(",")[:3]]
    red, green, blue = (
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
