"""The component by itself, without Gradio and without a model: all that a person can do."""

from __future__ import annotations

import http.server
import importlib.util
import json
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from playground.pages.write import WEB
from playground.sampling import NUMBERS, Settings, choose, uniform
from tests.paths import ROOT

AXE = Path(importlib.util.find_spec("axe_playwright_python").origin).with_name("axe.min.js")
VECTORS = ROOT / "tests" / "playground" / "stories" / "permalink_vectors.json"
PHONE = {"viewport": {"width": 390, "height": 844}}
DESK = {"viewport": {"width": 1280, "height": 900}}
DAY, NIGHT = {"color_scheme": "light"}, {"color_scheme": "dark"}
SCREENS = [PHONE | DAY, PHONE | NIGHT, DESK | DAY, DESK | NIGHT]


class Files(http.server.SimpleHTTPRequestHandler):
    """component.html, and the folder playground/web below web/."""

    def translate_path(self, path: str) -> str:
        name = path.split("?")[0].lstrip("/")
        if name.startswith("web/"):
            return str(WEB / name.removeprefix("web/"))
        return str(Path(__file__).with_name("component.html"))

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def files() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Files)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


@pytest.fixture(params=[DESK | DAY, PHONE | NIGHT], ids=["desk, day", "phone, night"])
def page(browser: Browser, files: str, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The component, opened in a browser that knows nothing of it."""
    settings = dict(request.param)
    context = browser.new_context(locale=settings.pop("locale", "en-GB"), **settings)
    page = context.new_page()
    page.set_default_timeout(15_000)
    problems: list[str] = []
    page.on("pageerror", lambda problem: problems.append(str(problem)))
    open_page(page, files)
    yield page
    context.close()
    assert problems == []


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    page.locator("inkling-writer[ready]").wait_for()


def sheet(page: Page) -> Locator:
    return page.locator(".sheet")


def text(page: Page) -> str:
    return sheet(page).text_content() or ""


def button(page: Page, name: str) -> Locator:
    return page.get_by_role("button", name=name, exact=True)


def set_range(page: Page, name: str, value: float) -> None:
    page.locator(f"#ink-{name}").evaluate(
        "(node, value) => { node.value = value; node.dispatchEvent(new Event('input', "
        "{ bubbles: true })) }",
        value,
    )


def write(page: Page, opening: str = "Once upon a time", length: int = 6) -> str:
    """Types an opening and lets the model go on."""
    set_range(page, "length", length)
    sheet(page).click()
    page.keyboard.insert_text(opening)
    button(page, "Generate").click()
    expect(button(page, "Continue")).to_be_visible()
    expect(page.locator(".note")).to_contain_text("a second")
    return text(page)


def asked(page: Page, kind: str) -> list[dict[str, Any]]:
    return [request for name, request in page.evaluate("source.asked") if name == kind]


def test_one_text_is_typed_and_goes_on(page: Page) -> None:
    told = write(page, "Once upon a time", 6)
    assert told.startswith("Once upon a time ")
    assert len(told.split()) == 10
    (first,) = asked(page, "write")
    assert (first["text"] or first["ids"]) and first["opening"] == -1
    assert first["settings"]["length"] == 6
    by = page.locator(".word").evaluate_all("all => all.map(one => one.dataset.by)")
    assert by == ["person"] * 4 + ["model"] * 6
    button(page, "Continue").click()
    page.wait_for_function("document.querySelectorAll('.word').length === 16")
    second = asked(page, "write")[1]
    assert len(second["ids"]) == 10
    assert second["opening"] == 4


def test_an_edit_keeps_what_stands_before_it(page: Page) -> None:
    told = write(page)
    before = page.evaluate("writer.tokens.map(token => token.r)")
    page.locator(".word").nth(6).click()
    page.keyboard.press("End")
    place = page.evaluate("writer.sheet.caret()")
    page.keyboard.type("ly")
    assert text(page) == told[:place] + "ly" + told[place:]
    page.wait_for_function("writer.tokens.every(token => token.i !== null)")  # scored
    after = page.evaluate("writer.tokens.map(token => token.r)")
    kept = page.evaluate(
        "place => { let n = 0, k = 0; for (const t of writer.tokens) "
        "{ n += t.t.length; if (n >= place) break; k += 1 } return k }",
        place,
    )
    assert after[:kept] == before[:kept]
    assert set(after[kept:]) == {-1}
    assert page.evaluate("writer.sheet.caret()") == place + 2
    (score,) = [one for one in asked(page, "score") if "ly" in one["text"]]
    assert len(score["ids"]) == kept


def test_undo_and_redo_go_over_everything(page: Page) -> None:
    told = write(page)
    button(page, "Undo").click()
    assert text(page) == "Once upon a time"
    button(page, "Redo").click()
    assert text(page) == told
    sheet(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Then.")
    page.keyboard.press("Control+z")
    assert text(page) == told
    page.keyboard.press("Control+Shift+z")
    assert text(page) == told + " Then."
    button(page, "New story").click()
    assert text(page) == ""
    page.keyboard.press("Control+z")
    assert text(page) == told + " Then."


def test_again_keeps_the_story_before_as_a_branch(page: Page) -> None:
    told = write(page, length=5)
    seed = asked(page, "write")[0]["seeds"]
    button(page, "Again").click()
    page.wait_for_function("source.asked.filter(([kind]) => kind === 'write').length === 2")
    expect(button(page, "Continue")).to_be_visible()
    assert asked(page, "write")[1]["seeds"] != seed
    assert text(page).startswith("Once upon a time")
    expect(page.locator(".branches li")).to_have_count(2)
    page.locator(".branches .go").first.click()
    assert text(page) == told


def test_stop_stops_and_a_double_click_is_one(page: Page) -> None:
    page.evaluate("source.pace = 20")
    set_range(page, "length", 300)
    button(page, "Generate").dblclick()
    page.wait_for_function("document.querySelectorAll('.word').length > 8")
    expect(button(page, "Stop")).to_be_visible()
    page.wait_for_timeout(450)
    button(page, "Stop").click()
    expect(page.locator(".note")).to_contain_text("Stopped.")
    expect(page.locator(".live")).to_contain_text("Stopped.")
    told = text(page)
    page.wait_for_timeout(200)
    assert text(page) == told
    page.keyboard.press("Control+Enter")
    page.wait_for_function(f"document.querySelector('.sheet').textContent.length > {len(told)}")
    page.wait_for_timeout(450)
    page.keyboard.press("Escape")
    expect(button(page, "Continue")).to_be_visible()
    assert text(page).startswith(told)


def test_a_word_s_card_turns_the_story(page: Page) -> None:
    told = write(page)
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(6).hover()
    card = page.get_by_role("dialog", name="The odds of a word")
    expect(card).to_be_visible()
    expect(card).to_contain_text("13 %")
    expect(card).to_contain_text("2 words were likelier")
    expect(card.locator(".bars li")).to_have_count(10)
    card.locator(".bars button").nth(3).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    (branch,) = asked(page, "branch")
    assert (len(branch["ids"]), branch["token_id"]) == (6, 3)
    words = page.evaluate("writer.tokens.map(token => token.t)")
    assert words[6] == " home"
    assert "".join(words[:6]) == told[: len("".join(words[:6]))]
    # Both are there, and can be named, compared and removed.
    page.locator(".branches .rename").nth(1).click()
    page.get_by_label("Name of the branch").fill("The way home")
    page.keyboard.press("Enter")
    expect(page.locator(".branches .go").nth(1)).to_have_text("The way home")
    button(page, "Side by side").click()
    expect(page.locator(".choices li")).to_have_count(2)
    shared = page.locator(".choices .shared").first.text_content()
    assert shared and told.startswith(shared)
    page.get_by_role("button", name="Go on with this one: 1").click()
    assert text(page) == told
    page.locator(".branches .prune").nth(1).click()
    expect(page.locator(".branches")).to_be_hidden()
    button(page, "Undo").click()
    expect(page.locator(".branches li")).to_have_count(2)


def test_the_keyboard_alone_looks_and_turns(page: Page) -> None:
    write(page)
    page.get_by_label("Show the odds").focus()
    page.keyboard.press("Space")
    stops = page.locator('.word[tabindex="0"]')
    expect(stops).to_have_count(1)
    stops.focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    expect(page.locator(".word").nth(5)).to_be_focused()
    expect(page.locator(".card")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.locator(".card .bars button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator(".card")).to_be_hidden()
    expect(page.locator(".word").nth(5)).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("source.asked.some(([kind]) => kind === 'branch')")
    assert asked(page, "branch")[0]["token_id"] == 1
    expect(button(page, "Continue")).to_be_visible()
    page.locator('.word[tabindex="0"]').focus()
    page.keyboard.press("F2")  # into the text
    page.keyboard.type("X")
    assert "X" in text(page)


def test_the_bars_follow_a_slider(page: Page) -> None:
    write(page)
    bars = page.locator('[data-part="next"]')
    expect(bars.locator("button")).to_have_count(12)

    def odds() -> list[str]:
        return bars.locator("button .odds").all_text_contents()

    warm = odds()
    set_range(page, "temperature", 0)
    assert odds() == ["100 %"] + ["–"] * 11
    set_range(page, "temperature", 2)
    assert odds() != warm
    set_range(page, "top_k", 3)
    assert odds()[3:] == ["–"] * 9
    assert bars.locator("li.cut").count() == 9
    calls = len(asked(page, "candidates"))
    set_range(page, "temperature", 1.5)
    assert len(asked(page, "candidates")) == calls  # no round trip
    took = page.evaluate(
        """() => { const slider = document.querySelector('#ink-temperature');
          writer.querySelector('#ink-top_k').value = 0; writer.settings.top_k = 0;
          const times = []; for (let k = 0; k < 20; k += 1) { const start = performance.now();
          slider.value = k / 10; slider.dispatchEvent(new Event('input', { bubbles: true }));
          document.body.offsetHeight; times.push(performance.now() - start); }
          return times.sort((a, b) => a - b)[10]; }"""
    )
    assert took < 16


def test_every_word_can_be_picked(page: Page) -> None:
    page.get_by_label("Pick every word yourself").check()
    expect(page.locator('[data-part="next"] button')).to_have_count(12)
    for place in (0, 2, 1):
        count = page.locator(".word").count()
        page.locator('[data-part="next"] button').nth(place).click()
        expect(page.locator(".word")).to_have_count(count + 1)
    assert text(page) == " the ran fox"
    assert asked(page, "write") == []
    button(page, "Undo").click()
    assert text(page) == " the ran"


def test_eight_are_shown_and_one_goes_on(page: Page) -> None:
    write(page, length=4)
    button(page, "Show me eight").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Continue")).to_be_visible()
    many = asked(page, "write")[1]
    assert len(set(many["seeds"])) == 8
    assert many["settings"]["length"] == 4
    own = page.locator(".choices li p").nth(2).text_content() or ""
    page.get_by_role("button", name="Go on with this one: 3").click()
    page.wait_for_function("source.asked.filter(([kind]) => kind === 'write').length === 3")
    expect(button(page, "Continue")).to_be_visible()
    assert own.split()[-1] in text(page)
    expect(page.locator(".branches li")).to_have_count(9)
    assert page.evaluate("writer.doc.branches[writer.doc.current].parent") == 1


def test_a_seed_is_checked_where_it_is_typed(page: Page) -> None:
    page.get_by_text("More", exact=True).click()
    field = page.get_by_label("Seed", exact=True)
    for wrong in ("-1", "4294967296", "x", ""):
        field.fill(wrong)
        expect(page.locator("#ink-seed-hint")).to_contain_text("from 0 to 4,294,967,295")
        button(page, "Generate").click()
        expect(field).to_be_focused()
        assert asked(page, "write") == []
    field.fill("42")
    expect(page.get_by_label("A new seed each time")).not_to_be_checked()
    write(page, length=3)
    assert asked(page, "write")[0]["seeds"] == [42]
    assert field.input_value() == "42"
    expect(page.locator(".note")).to_contain_text("Seed 42.")


def test_moods_set_the_sliders(page: Page) -> None:
    button(page, "Always the same").click()
    expect(page.locator("#ink-temperature-value")).to_have_text("0")
    expect(button(page, "Always the same")).to_have_attribute("aria-pressed", "true")
    button(page, "Balanced").click()
    expect(page.locator("#ink-temperature-value")).to_have_text("0.8")


def turn(page: Page, bar: int) -> str:
    """Turns a story of one branch at its seventh word, to what a bar of the card says: its text."""
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(6).click()
    page.locator(".card .bars button").nth(bar).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    return text(page)


def test_nothing_is_lost_by_a_reload_the_back_button_or_a_second_tab(
    page: Page, files: str
) -> None:
    told = write(page)
    turned = turn(page, 1)
    set_range(page, "temperature", 1.35)
    page.wait_for_timeout(450)
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    assert text(page) == turned
    expect(page.locator(".branches li")).to_have_count(2)
    expect(page.locator("#ink-temperature-value")).to_have_text("1.35")
    page.goto("about:blank")
    page.go_back()
    page.locator("inkling-writer[ready]").wait_for()
    assert text(page) == turned
    # A second tab begins with a copy, and neither changes the other.
    other = page.context.new_page()
    open_page(other, files)
    assert text(other) == turned
    other.locator(".branches .go").first.click()
    assert text(other) == told
    button(other, "New story").click()
    other.wait_for_timeout(450)
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    assert text(page) == turned
    other.reload()
    other.locator("inkling-writer[ready]").wait_for()
    assert text(other) == ""


def test_what_was_typed_in_the_last_moment_before_a_reload_is_kept(page: Page) -> None:
    for number in range(5):
        page.evaluate("text => document.querySelector('inkling-writer').edit(text)", f"{number}.")
        page.reload()
        page.locator("inkling-writer[ready]").wait_for()
        assert text(page) == f"{number}."


def test_what_fails_is_said_and_the_story_stays(page: Page) -> None:
    told = write(page)
    page.evaluate("source.fails = true")
    button(page, "Continue").click()
    expect(page.locator(".live")).to_contain_text("the model is away.")
    assert text(page) == told
    page.evaluate("source.fails = false")
    button(page, "Continue").click()
    page.wait_for_function(f"document.querySelector('.sheet').textContent.length > {len(told)}")


def test_a_long_paste_is_refused_in_a_sentence(page: Page) -> None:
    told = write(page)
    sheet(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("x" * 20_001)
    expect(page.locator(".note")).to_contain_text("at most 20,000 characters")
    assert text(page) == told
    # Near the limit it is told, before anything is refused.
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("x" * (19_000 - len(told)))
    expect(page.locator(".note")).to_contain_text("19,000 of at most 20,000 characters.")


TRICKS = [
    "<img src=x onerror='window.hacked = 1'>",
    "${window.hacked = 1} {{constructor.constructor('window.hacked = 1')()}}",
    "<script>window.hacked = 1</script> `x` **b** [a](javascript:window.hacked=1)",
    "\u202eright to left\u202c \u200d\u200d zero",
    "a" * 3_000,
]


@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_a_story_is_letters_wherever_it_is_shown(page: Page, trick: str) -> None:
    page.evaluate("trick => { source.say = trick }", trick)
    write(page, "Once " + trick, length=2)
    assert text(page).count(trick) == 3
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(1).hover()
    button(page, "Again").click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    button(page, "Side by side").click()
    button(page, "Show me eight").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Continue")).to_be_visible()
    assert page.evaluate("window.hacked") is None
    assert (
        page.locator("inkling-writer :is(img, script, strong)")
        .and_(page.locator(":not([data-part], dialog img, .headline strong)"))
        .count()
        == 0
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def link_of(page: Page) -> str:
    """The story as a link."""
    button(page, "Share").click()
    field = page.get_by_label("A link with the whole story")
    expect(field).to_be_focused()
    return field.input_value()


def test_a_link_carries_the_story_and_is_told_again(page: Page, files: str) -> None:
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Seed", exact=True).fill("77")
    told = write(page, "Once upon a time ", length=9)
    turned = turn(page, 2)
    assert turned != told
    link = link_of(page)
    assert link.startswith(f"{files}?story=")
    assert len(link) < 300
    button(page, "Copy").click()
    expect(page.locator(".sharing [role=status]")).to_have_text("The link is copied.")
    other = page.context.browser.new_context(locale="en-GB").new_page()
    heard = page.evaluate("localStorage.getItem('heard')")
    other.add_init_script(f"localStorage.setItem('heard', {json.dumps(heard)})")
    open_page(other, link)
    expect(other.locator(".live")).to_contain_text("Reproduced exactly")
    assert text(other) == turned
    assert other.url == files
    seeds = [request["seeds"] for request in asked(other, "write")]
    assert seeds == [[77], [77]]
    authors = "all => all.map(one => one.dataset.by)"
    assert other.locator(".word").evaluate_all(authors) == page.locator(".word").evaluate_all(
        authors
    )
    # What was on the page before the link is not lost.
    button(other, "Undo").click()
    assert text(other) == ""
    other.context.close()


def test_a_link_carries_all_branches_if_it_is_asked_to(page: Page, files: str) -> None:
    write(page, "Once upon a time ", length=9)
    turned = turn(page, 2)
    alone = link_of(page)
    page.get_by_label("With all branches").check()
    expect(page.get_by_label("A link with the whole story")).not_to_have_value(alone)
    link = page.get_by_label("A link with the whole story").input_value()
    branches = page.locator(".branches .go").all_text_contents()
    button(page, "Close").click()
    page.get_by_label("Open a link").fill(link)
    page.get_by_label("Open a link").press("Enter")
    expect(page.locator(".live")).to_contain_text("Reproduced exactly")
    assert text(page) == turned
    assert len(page.locator(".branches .go").all_text_contents()) == len(branches) == 2
    page.locator(".branches .go").nth(1).click()
    assert text(page) != turned and text(page).startswith("Once upon a time")
    page.get_by_label("Open a link").fill("https://example.org/a-page")
    page.get_by_label("Open a link").press("Enter")
    expect(page.locator(".live")).to_contain_text("cut off or was altered")


def test_a_link_that_does_not_tell_the_truth_is_found_out(page: Page, files: str) -> None:
    write(page, "Once upon a time", length=6)
    page.evaluate("writer.doc.runs[0].seed += 1")  # as if somebody had put in other words
    link = link_of(page)
    open_page(page, link)
    expect(page.locator(".live")).to_contain_text("it differs from word 5 on")
    page.evaluate("writer.model.fingerprint = 'e'.repeat(64)")
    foreign = link_of(page)
    open_page(page, foreign)
    expect(page.locator(".live")).to_contain_text("Told by another model (tiny)")


def test_a_link_that_is_cut_is_refused_and_the_story_stays(page: Page, files: str) -> None:
    told = write(page)
    link = link_of(page)
    page.wait_for_timeout(400)
    for wrong in (link[:-5], f"{files}?story=", f"{files}?story=%3Cimg%20src=x%3E"):
        open_page(page, wrong)
        expect(page.locator(".live")).to_contain_text("cut off or was altered")
        assert text(page) == told


def test_links_mean_the_same_in_the_browser_and_in_python(page: Page) -> None:
    vectors = json.loads(VECTORS.read_text(encoding="utf-8"))
    found = page.evaluate(
        """async ({ good, bad }) => {
          const { encode, decode } = await import('./web/permalink.js');
          const common = await (await fetch('web/common_tokens.json')).json();
          const taken = (text) => {
            try { decode(text, common); return true; } catch { return false; }
          };
          return {
            values: good.map(({ link }) => decode(link, common)),
            links: good.map(({ value }) => encode(value, common)),
            taken: bad.filter(taken),
          };
        }""",
        vectors,
    )
    assert found["values"] == [vector["value"] for vector in vectors["good"]]
    assert found["links"] == [vector["link"] for vector in vectors["good"]]
    assert found["taken"] == []


SPEECH = """() => {
  // Headless Chromium has no voice: this one says a word when the test calls spoken.next().
  const spoken = {
    said: [], starts: [], last: null, voice: { lang: 'en-GB' },
    next() {
      if (spoken.starts.length) spoken.last.onboundary({ charIndex: spoken.starts.shift() });
      else spoken.end();
      return [...document.querySelectorAll('.word.spoken')].map((word) => word.textContent.trim());
    },
    end() { const over = spoken.last; spoken.last = null; over?.onend(); },
  };
  const synthesis = {
    getVoices: () => [spoken.voice],
    addEventListener() {},
    cancel: spoken.end,
    speak(said) {
      spoken.said.push(said.text);
      spoken.last = said;
      spoken.starts = [...said.text.matchAll(/\\S+/g)].map((found) => found.index);
    },
  };
  Object.defineProperty(window, 'speechSynthesis', { value: synthesis });
  window.spoken = spoken;
}"""


def test_a_story_is_read_aloud_and_the_word_is_marked(page: Page, files: str) -> None:
    expect(page.locator('[data-part="read"]')).to_be_hidden()  # no voice, no button
    page.add_init_script(f"({SPEECH})()")
    page.add_init_script("window.SpeechSynthesisUtterance = function (text) { this.text = text }")
    open_page(page, files)
    told = write(page)
    button(page, "Read aloud").click()
    expect(button(page, "Be quiet")).to_be_visible()
    assert page.evaluate("spoken.said") == [told]
    words = told.split()
    marked = [page.evaluate("spoken.next()") for _ in words]
    assert [
        mark
        for mark, word in zip(marked, words, strict=True)
        if len(mark) != 1 or mark[0] not in word
    ] == [], marked
    assert page.evaluate("spoken.next()") == []  # it came to the end
    expect(button(page, "Read aloud")).to_be_visible()
    button(page, "Read aloud").click()
    button(page, "Be quiet").click()
    expect(button(page, "Read aloud")).to_be_visible()


def test_the_page_is_light() -> None:
    files = [file for ending in ("js", "css", "json", "html") for file in WEB.glob(f"*.{ending}")]
    size = sum(file.stat().st_size for file in [*files, *WEB.glob("fonts/*.woff2")])
    assert size < 400_000


@pytest.mark.parametrize("page", [{"forced_colors": "active"}], indirect=True)
def test_forced_colours_leave_the_controls(page: Page) -> None:
    write(page)
    appearance = "node => getComputedStyle(node).appearance"
    assert page.locator("#ink-temperature").evaluate(appearance) == "auto"
    assert page.get_by_label("Show the odds").evaluate(appearance) == "auto"


def test_paper_is_printed_alone(page: Page) -> None:
    write(page)
    page.emulate_media(media="print")
    expect(sheet(page)).to_be_visible()
    for part in ("header", "aside", ".actions", ".ruler"):
        expect(page.locator(f"inkling-writer {part}").first).to_be_hidden()


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
    expect(page.locator('[data-part="context"]')).to_contain_text("have slid out of its sight")
    unseen = page.locator(".word[data-unseen]").count()
    assert unseen == 31  # of 84 tokens and the start, in quarters of 64
    assert "53 of 64" in (page.locator('[data-part="context"]').text_content() or "")


@pytest.mark.parametrize("page", [{"locale": "de-DE"}], indirect=True)
def test_the_page_speaks_the_reader_s_language(page: Page) -> None:
    expect(button(page, "Erzählen")).to_be_visible()
    assert page.evaluate("document.documentElement.lang") == "de"
    page.get_by_role("button", name="English").click()
    expect(button(page, "Generate")).to_be_visible()
    page.reload()
    expect(button(page, "Generate")).to_be_visible()


def test_both_languages_say_everything() -> None:
    texts = json.loads((WEB / "text.json").read_text(encoding="utf-8"))
    assert {name: sorted(words) for name, words in texts.items()} == {
        name: sorted(texts["en"]) for name in ("en", "de")
    }
    files = [*WEB.glob("*.js"), *WEB.parent.glob("pages/*.py")]
    source = "".join(file.read_text(encoding="utf-8") for file in files)
    made = re.compile(r"(opening_\d|preset_\w+|\w+_hint)$")  # keys that are put together
    names = {row.name for row in NUMBERS}
    unused = [
        key
        for key in texts["en"]
        if f'"{key}"' not in source and not made.match(key) and key not in names
    ]
    assert unused == []


@pytest.mark.parametrize("page", SCREENS, indirect=True)
def test_nothing_is_wrong_by_axe_in_any_state(page: Page) -> None:
    page.add_script_tag(path=str(AXE))

    def check(state: str) -> None:
        found = page.evaluate("axe.run(document.querySelector('inkling-writer'))")
        said = [
            f"{state}: {one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]}"
            for one in found["violations"]
        ]
        assert said == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), state

    check("empty")
    write(page, length=20)
    check("written")
    page.get_by_text("More", exact=True).click()
    page.get_by_label("Show the odds").check()
    check("odds")
    page.locator(".word").nth(6).click()
    expect(page.locator(".card")).to_be_visible()
    check("card")
    page.locator(".card .bars button").nth(3).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    button(page, "Show me eight").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Continue")).to_be_visible()
    check("eight")


@pytest.mark.parametrize("page", SCREENS, indirect=True)
def test_what_can_be_pressed_is_large_and_the_actions_are_in_reach(page: Page) -> None:
    write(page, length=200)
    small = page.evaluate(
        """[...writer.querySelectorAll('button, select, summary, input[type=range], .switch')]
            .filter(node => node.checkVisibility()
              && (node.offsetHeight < 43.5 || node.offsetWidth < 43.5))
            .map(node => node.outerHTML.slice(0, 80))"""
    )
    assert small == []
    page.evaluate("scrollTo(0, 0)")
    for name in ("Continue", "Again", "Show me eight", "Undo", "Redo"):
        expect(button(page, name)).to_be_in_viewport(ratio=1)
    assert page.locator(".actions").evaluate("bar => bar.scrollWidth <= bar.clientWidth")
    assert page.locator(".actions").evaluate("bar => bar.offsetHeight") < 76  # one line
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    last = page.locator(".word").last.bounding_box()
    actions = page.locator(".actions").bounding_box()
    assert last and actions
    assert last["y"] + last["height"] <= actions["y"]


def test_a_tree_of_500_branches_stays_fluent(page: Page) -> None:
    slowest = page.evaluate(
        """async () => {
          const tree = await import('./web/tree.js');
          let doc = tree.emptyDocument();
          const word = (_, k) => ({ t: ` word${k}`, s: k % 7, i: k, r: 0 });
          const words = length => Array.from({ length }, word);
          doc.runs.push({ settings: writer.settings, seed: 1 });
          doc = tree.withTokens(doc, words(300));
          for (let k = 1; k < 500; k += 1) {
            doc = tree.selected(doc, 1 + (k * 7) % k);
            const from = tree.current(doc).tokens.slice(0, 150);
            doc = tree.branched(doc, [...from, ...words(150)]);
          }
          writer.setOdds(true);
          writer.act(doc);
          const times = [];
          for (let k = 0; k < 30; k += 1) {
            const start = performance.now();
            writer.act(tree.selected(writer.doc, 1 + (k * 37) % 500));
            document.body.offsetHeight;
            times.push(performance.now() - start);
            await new Promise(requestAnimationFrame);
          }
          return times.sort((a, b) => a - b)[15];
        }"""
    )
    assert slowest < 33
    assert page.locator(".branches li").count() == 500


# The browser's arithmetic is Python's.


def test_the_presets_are_settings(page: Page) -> None:
    presets = page.evaluate("import('./web/settings.js').then(module => module.PRESETS)")
    for preset in presets.values():
        Settings(**preset)


@pytest.mark.parametrize(
    "settings",
    [
        {"temperature": 0.8, "top_k": 40},
        {"temperature": 1.3, "top_k": 0},
        {"temperature": 0, "top_k": 0},
        {"temperature": 1, "top_k": 0, "top_p": 0.7},
        {"temperature": 0.5, "top_k": 20, "min_p": 0.1},
        {"temperature": 2, "top_k": 200, "top_p": 0.9, "min_p": 0.01},
    ],
    ids=str,
)
def test_bars_are_what_the_sampler_draws_from(page: Page, settings: dict[str, Any]) -> None:
    draw = np.random.default_rng(5)
    logits = np.sort(draw.normal(size=200) * 2)[::-1] + 6
    rest = [(-3.0, 400), (-2.0, 50)]
    total = float(np.logaddexp.reduce([*logits, *(x + math.log(n) for x, n in rest)]))
    wish = Settings(**settings)
    found = page.evaluate(
        "([next, settings]) => import('./web/odds.js').then(m => m.distribution(next, settings))",
        [
            {
                "candidates": [[k, f" {k}", float(x)] for k, x in enumerate(logits)],
                "rest": rest,
                "log_total": total,
            },
            {name: getattr(wish, name) for name in ("temperature", "top_k", "top_p", "min_p")},
        ],
    )
    after = [row["after"] for row in found["rows"]]
    assert sum(after) + found["restAfter"] == pytest.approx(1)
    assert sum(row["before"] for row in found["rows"]) + found["restBefore"] == pytest.approx(1)
    temperature = wish.temperature or 1.0
    log_rest = float(np.logaddexp.reduce([x / temperature + math.log(n) for x, n in rest]))
    seen = np.zeros(200)
    for position in range(400):
        chosen = choose(logits, log_rest, wish, uniform(1, position))
        if chosen is not None:
            seen[chosen[0]] += 1
            assert chosen[1] == pytest.approx(after[chosen[0]], rel=1e-9)
    assert all(after[k] > 0 for k in np.flatnonzero(seen))
