"""The component by itself: the odds, a word's card, the bars, reading aloud."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from playground.server.write import CORE
from tests.browser.actions import (
    button,
    fresh_page,
    on_both_screens,
    open_page,
    requests,
    set_field,
    show_panel,
    text,
    until_kept,
    write,
)


@on_both_screens
def test_a_word_s_card_turns_the_story(page: Page) -> None:
    story = write(page)
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(6).hover()
    card = page.get_by_role("dialog", name="The odds of a word")
    expect(card).to_be_visible()
    expect(card).to_contain_text("13 %")
    expect(card).to_contain_text("2 words were more likely")
    expect(card.locator(".bars li")).to_have_count(10)
    card.locator(".bars button").nth(3).click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    (branch,) = requests(page, "branch")
    assert (len(branch["ids"]), branch["token_id"]) == (6, 3)
    words = page.evaluate("writer.state.tokens.map(token => token.t)")
    assert words[6] == " home"
    assert "".join(words[:6]) == story[: len("".join(words[:6]))]
    show_panel(page, "Branches")
    # Both are there, and can be named, compared and removed.
    page.locator(".branches .rename").nth(1).click()
    page.get_by_label("Name of the branch").fill("The way home")
    page.keyboard.press("Enter")
    expect(page.locator(".branches .go").nth(1)).to_have_text("The way home")
    button(page, "Side by side").click()
    expect(page.locator(".choices li")).to_have_count(2)
    shared = page.locator(".choices .shared").text_content()
    assert shared and story.startswith(shared) and shared.endswith(" ")
    page.get_by_role("button", name="Continue this one: 1").click()
    assert text(page) == story
    page.locator(".branches .prune").nth(1).click()
    expect(button(page, "Side by side")).to_be_disabled()
    button(page, "Undo").click()
    expect(page.locator(".branches li")).to_have_count(2)


def test_a_token_without_letters_can_be_looked_at(page: Page) -> None:
    """The first half of a quotation mark, with and without a space, and a line break."""
    story = write(page, "Once.\n“No,” said “Mia")
    assert page.evaluate("writer.state.tokens.slice(0, 8).map(token => token.t)") == [
        *("Once.", "\n", "", "“", "No,”", " said", " ", "“")
    ]
    page.get_by_label("Show the odds").check()
    assert text(page) == story
    words = page.locator(".word")
    heading = page.get_by_role("dialog", name="The odds of a word").locator("strong")
    words.nth(2).hover()
    expect(heading).to_have_text("·")
    page.mouse.move(0, 0)
    page.locator('.word[tabindex="0"]').focus()
    for k, mark in enumerate(["↵", "·", "“", "No,”", "said", "␣", "“"], 1):
        page.keyboard.press("ArrowRight")
        expect(words.nth(k)).to_be_focused()
        expect(words.nth(k)).to_have_accessible_name(mark)
        expect(heading).to_have_text(mark)
    page.keyboard.press("Escape")
    page.get_by_label("Show the odds").uncheck()
    assert text(page) == story


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
    assert requests(page, "branch")[0]["token_id"] == 1
    expect(button(page, "Continue")).to_be_visible()
    page.locator('.word[tabindex="0"]').focus()
    page.keyboard.press("F2")  # into the text
    page.keyboard.type("X")
    assert "X" in text(page)


def test_a_card_is_never_over_the_share_panel_and_escape_closes_the_topmost(page: Page) -> None:
    write(page)
    page.get_by_label("Show the odds").check()
    panel, card = page.locator(".sharing"), page.locator(".card")
    word = page.locator(".word").nth(6)
    word.hover()
    expect(card).to_be_visible()
    page.evaluate(
        "() => { writer.card.oddsAt = () => new Promise((found) => { window.found = found }) }"
    )
    page.locator(".word").nth(7).hover()  # and its odds come when the panel is there
    page.wait_for_function("Boolean(window.found)")
    button(page, "Share").click()
    expect(panel).to_be_visible()
    page.evaluate("delete writer.card.oddsAt; writer.card.oddsAt(7).then(window.found)")
    page.evaluate("writer.card.passing = null")
    word.hover()
    word.focus()
    page.keyboard.press("ArrowRight")
    assert page.evaluate("[writer.card.passing, writer.card.looked]") == [None, None]
    expect(card).to_be_hidden()
    word.click()  # somebody wants this one
    expect(card).to_be_visible()
    expect(panel).to_be_hidden()
    page.keyboard.press("Escape")
    button(page, "Share").click()
    expect(page.get_by_label("A link with the whole story")).to_be_focused()
    page.evaluate("writer.choices.open('siblings', [1])")
    page.evaluate("document.querySelector('.sharing dialog').showModal()")
    for there in ("dialog[open]", ".sharing", ".choices"):
        expect(page.locator(there)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(there)).to_be_hidden()
        if there == ".sharing":
            expect(button(page, "Share")).to_be_focused()


def test_the_bars_follow_a_slider(page: Page) -> None:
    write(page)
    bars = page.locator('[data-part="next"]')
    expect(bars.locator("button")).to_have_count(12)

    def odds() -> list[str]:
        return bars.locator("button .odds").all_text_contents()

    warm = odds()
    set_field(page, "temperature", 0)
    assert odds() == ["100 %"] + ["–"] * 11
    set_field(page, "temperature", 2)
    assert odds() != warm
    set_field(page, "top_k", 3)
    assert odds()[3:] == ["–"] * 9
    assert bars.locator("li.cut").count() == 9
    calls = len(requests(page, "candidates"))
    set_field(page, "temperature", 1.5)
    assert len(requests(page, "candidates")) == calls  # no round trip


def test_the_bars_wait_for_the_core_and_do_without_it(browser: Browser, files: str) -> None:
    """They show the model's own odds until core.wasm has come, and say so where it does not."""
    with fresh_page(browser, 60_000) as page:
        late: list[Route] = []
        page.route("**/core.wasm", lambda route: late.append(route))
        open_page(page, files)
        write(page)
        odds, note = page.locator('[data-part="next"] button .odds'), page.locator(".bars .others")
        expect(odds).to_have_count(12)
        own = odds.all_text_contents()
        set_field(page, "temperature", 0)
        assert odds.all_text_contents() == own
        expect(note).to_contain_text("all other words: ")
        late[0].fulfill(path=CORE)
        expect(odds).to_have_text(["100 %"] + ["–"] * 11)
        page.unroute_all()
        until_kept(page)
        page.route("**/core.wasm", lambda route: route.fulfill(status=404))
        page.reload()
        expect(note).to_contain_text("core.wasm did not load")
        expect(odds).to_have_text(own)
        page.get_by_label("Show the odds").check()
        page.locator(".word").nth(6).hover()
        card = page.get_by_role("dialog", name="The odds of a word")
        expect(card.locator(".bars button")).to_have_count(10)
        expect(card).to_contain_text("13 %")


def test_every_word_can_be_picked(page: Page) -> None:
    page.get_by_label("Pick every word yourself").check()
    expect(page.locator('[data-part="next"] button')).to_have_count(12)
    for place in (0, 2, 1):
        count = page.locator(".word").count()
        page.locator('[data-part="next"] button').nth(place).click()
        expect(page.locator(".word")).to_have_count(count + 1)
    assert text(page) == " the ran fox"
    assert requests(page, "write") == []
    button(page, "Undo").click()
    assert text(page) == " the ran"


TRICKS = [
    "<img src=x onerror='window.hacked = 1'>",
    "${window.hacked = 1} {{constructor.constructor('window.hacked = 1')()}}",
    "<script>window.hacked = 1</script> `x` **b** [a](javascript:window.hacked=1)",
    "\u202eright to left\u202c \u200d\u200d zero",
    "a" * 3_000,
]


@on_both_screens
@pytest.mark.parametrize("trick", TRICKS, ids=range(len(TRICKS)))
def test_a_story_is_letters_wherever_it_is_shown(page: Page, trick: str) -> None:
    page.evaluate("trick => { source.say = trick }", trick)
    write(page, "Once " + trick, length=2)
    assert text(page).count(trick) == 3
    page.get_by_label("Show the odds").check()
    page.locator(".word").nth(1).hover()
    button(page, "Try again").click()
    expect(page.locator(".branches li")).to_have_count(2)
    expect(button(page, "Continue")).to_be_visible()
    show_panel(page, "Branches")
    button(page, "Side by side").click()
    button(page, "Eight versions").click()
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
    story = write(page)
    button(page, "Read aloud").click()
    expect(button(page, "Stop reading")).to_be_visible()
    assert page.evaluate("spoken.said") == [story]
    words = story.split()
    marked = [page.evaluate("spoken.next()") for _ in words]
    assert [
        mark
        for mark, word in zip(marked, words, strict=True)
        if len(mark) != 1 or mark[0] not in word
    ] == [], marked
    assert page.evaluate("spoken.next()") == []  # it came to the end
    expect(button(page, "Read aloud")).to_be_visible()
    aloud = "window.spoken.last !== null"
    for stop in (
        lambda: button(page, "Stop reading").click(),
        lambda: page.keyboard.press("Escape"),
        lambda: page.evaluate("writer.edits.type('Another text')"),
        lambda: button(page, "Undo").click(),
        lambda: page.evaluate("dispatchEvent(new PageTransitionEvent('pagehide'))"),
        lambda: button(page, "Continue").click(),
        lambda: button(page, "New story").click(),
    ):
        expect(button(page, "Read aloud")).to_be_enabled()
        button(page, "Read aloud").click()
        assert page.evaluate(aloud)
        page.evaluate("spoken.next()")
        stop()
        assert not page.evaluate(aloud)
        expect(page.locator(".spoken")).to_have_count(0)
        expect(page.locator('[data-part="read"]')).to_have_text("Read aloud")


def test_a_tree_of_500_branches_is_shown(page: Page) -> None:
    shown = page.evaluate(
        """async () => {
          const tree = await import('./web/story/tree.js');
          let doc = tree.emptyDocument();
          const word = (_, k) => ({ t: ` word${k}`, s: k % 7, i: k, r: 0 });
          const words = length => Array.from({ length }, word);
          doc.runs.push({ settings: writer.state.now.settings, seed: 1 });
          doc = tree.withTokens(doc, words(300));
          for (let k = 1; k < 500; k += 1) {
            doc = tree.selected(doc, 1 + (k * 7) % k);
            const from = tree.current(doc).tokens.slice(0, 150);
            doc = tree.branched(doc, [...from, ...words(150)]);
          }
          writer.state.set({ odds: true });
          writer.edits.act(doc);
          const shown = [];
          for (let k = 0; k < 30; k += 1) {
            const id = 1 + (k * 37) % 500;
            writer.edits.act(tree.selected(writer.state.now.doc, id));
            await new Promise(requestAnimationFrame);
            const item = document.querySelector('.branches [aria-current]').closest('li');
            const text = document.querySelector('.sheet').textContent;
            shown.push(Number(item.dataset.id) === id && text === tree.textOf(writer.state.tokens));
          }
          return shown;
        }"""
    )
    assert shown == [True] * 30
    assert page.locator(".branches li").count() == 500
