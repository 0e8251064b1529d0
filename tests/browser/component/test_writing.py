"""The component by itself: one text is written, edited, branched, and never lost."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.actions import (
    button,
    on_both_screens,
    open_page,
    requests,
    set_field,
    sheet,
    show_panel,
    text,
    turn,
    until_kept,
    write,
)


@on_both_screens
def test_one_text_is_typed_and_goes_on(page: Page) -> None:
    story = write(page, "Once upon a time", 6)
    assert story.startswith("Once upon a time ")
    assert len(story.split()) == 10
    (first,) = requests(page, "write")
    assert (first["text"] or first["ids"]) and first["opening"] == -1
    assert first["settings"]["length"] == 6
    by = page.locator(".word").evaluate_all("all => all.map(one => one.dataset.by)")
    assert by == ["person"] * 4 + ["model"] * 6
    button(page, "Continue").click()
    page.wait_for_function("document.querySelectorAll('.word').length === 16")
    second = requests(page, "write")[1]
    assert len(second["ids"]) == 10
    assert second["opening"] == 4


def test_an_edit_keeps_what_stands_before_it(page: Page) -> None:
    story = write(page)
    before = page.evaluate("writer.state.tokens.map(token => token.r)")
    page.locator(".word").nth(6).click()
    page.keyboard.press("End")
    place = page.evaluate("writer.editor.caret()")
    page.keyboard.type("ly")
    assert text(page) == story[:place] + "ly" + story[place:]
    page.wait_for_function("writer.state.tokens.every(token => token.i !== null)")  # scored
    after = page.evaluate("writer.state.tokens.map(token => token.r)")
    kept = page.evaluate(
        "place => { let n = 0, k = 0; for (const t of writer.state.tokens) "
        "{ n += t.t.length; if (n >= place) break; k += 1 } return k }",
        place,
    )
    assert after[:kept] == before[:kept]
    assert set(after[kept:]) == {-1}
    assert page.evaluate("writer.editor.caret()") == place + 2
    (score,) = [one for one in requests(page, "score") if "ly" in one["text"]]
    assert len(score["ids"]) == kept


def test_undo_and_redo_go_over_everything(page: Page) -> None:
    story = write(page)
    button(page, "Undo").click()
    assert text(page) == "Once upon a time"
    button(page, "Redo").click()
    assert text(page) == story
    sheet(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.type(" Then.")
    page.keyboard.press("Control+z")
    assert text(page) == story
    page.keyboard.press("Control+Shift+z")
    assert text(page) == story + " Then."
    button(page, "New story").click()
    assert text(page) == ""
    page.keyboard.press("Control+z")
    assert text(page) == story + " Then."


def test_again_keeps_the_story_before_as_a_branch(page: Page) -> None:
    story = write(page, length=5)
    seed = requests(page, "write")[0]["seeds"]
    button(page, "Try again").click()
    page.wait_for_function("source.asked.filter(([kind]) => kind === 'write').length === 2")
    expect(button(page, "Continue")).to_be_visible()
    assert requests(page, "write")[1]["seeds"] != seed
    assert text(page).startswith("Once upon a time")
    expect(page.locator(".branches li")).to_have_count(2)
    show_panel(page, "Branches")
    page.locator(".branches .go").first.click()
    assert text(page) == story


def test_stop_stops_and_a_double_click_is_one(page: Page) -> None:
    page.evaluate("source.holdAt = 10")
    set_field(page, "length", 300)
    button(page, "Generate").dblclick()
    expect(page.locator(".word")).to_have_count(10)  # the story is held there until it is stopped
    assert page.evaluate("source.closed") == 0
    button(page, "Stop").click()
    expect(page.locator(".note")).to_contain_text("Stopped.")
    expect(page.locator(".live")).to_contain_text("Stopped.")
    page.wait_for_function("source.closed === 1")  # nothing comes any more
    assert page.locator(".word").count() == 10
    first_part = text(page)
    page.keyboard.press("Control+Enter")
    expect(page.locator(".word")).to_have_count(20)
    page.keyboard.press("Escape")
    expect(button(page, "Continue")).to_be_visible()
    page.wait_for_function("source.closed === 2")
    assert text(page).startswith(first_part)


@on_both_screens
def test_eight_are_shown_and_one_goes_on(page: Page) -> None:
    write(page, length=4)
    button(page, "Eight versions").click()
    expect(page.locator(".choices li")).to_have_count(8)
    expect(button(page, "Continue")).to_be_visible()
    many = requests(page, "write")[1]
    assert len(set(many["seeds"])) == 8
    assert many["settings"]["length"] == 4
    own = page.locator(".choices li p").nth(2).text_content() or ""
    page.get_by_role("button", name="Continue this one: 3").click()
    page.wait_for_function("source.asked.filter(([kind]) => kind === 'write').length === 3")
    expect(button(page, "Continue")).to_be_visible()
    assert own.split()[-1] in text(page)
    expect(page.locator(".branches li")).to_have_count(9)
    assert page.evaluate("writer.state.now.doc.branches[writer.state.now.doc.current].parent") == 1


def test_a_seed_is_checked_where_it_is_typed(page: Page) -> None:
    page.get_by_text("More", exact=True).click()
    field = page.get_by_label("Seed", exact=True)
    for wrong in ("-1", "4294967296", "x", ""):
        field.fill(wrong)
        expect(page.locator("#ink-seed-hint")).to_contain_text("from 0 to 4,294,967,295")
        button(page, "Generate").click()
        expect(field).to_be_focused()
        assert requests(page, "write") == []
    field.fill("42")
    expect(page.get_by_label("A new seed each time")).not_to_be_checked()
    write(page, length=3)
    assert requests(page, "write")[0]["seeds"] == [42]
    assert field.input_value() == "42"
    expect(page.locator(".note")).to_contain_text("Seed 42.")


def test_moods_set_the_sliders(page: Page) -> None:
    button(page, "Always the same").click()
    expect(page.locator("#ink-temperature-value")).to_have_text("0")
    expect(button(page, "Always the same")).to_have_attribute("aria-pressed", "true")
    button(page, "Balanced").click()
    expect(page.locator("#ink-temperature-value")).to_have_text("0.8")


def test_nothing_is_lost_by_a_reload_the_back_button_or_a_second_tab(
    page: Page, files: str
) -> None:
    story = write(page)
    turned = turn(page, 1)
    set_field(page, "temperature", 1.35)
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
    until_kept(page)
    other = page.context.new_page()
    open_page(other, files)
    assert text(other) == turned
    show_panel(other, "Branches")
    other.locator(".branches .go").first.click()
    assert text(other) == story
    button(other, "New story").click()
    until_kept(other)
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    assert text(page) == turned
    other.reload()
    other.locator("inkling-writer[ready]").wait_for()
    assert text(other) == ""


def test_what_was_typed_in_the_last_moment_before_a_reload_is_kept(page: Page) -> None:
    for number in range(5):
        page.evaluate(
            "text => document.querySelector('inkling-writer').edits.type(text)", f"{number}."
        )
        page.reload()
        page.locator("inkling-writer[ready]").wait_for()
        assert text(page) == f"{number}."


def test_what_fails_is_said_and_the_story_stays(page: Page) -> None:
    story = write(page)
    page.evaluate("source.fails = true")
    button(page, "Continue").click()
    expect(page.locator(".live")).to_contain_text("the model is away.")
    assert text(page) == story
    page.evaluate("source.fails = false")
    button(page, "Continue").click()
    page.wait_for_function(f"document.querySelector('.sheet').textContent.length > {len(story)}")


def test_a_long_paste_is_refused_in_a_sentence(page: Page) -> None:
    story = write(page)
    sheet(page).click()
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("x" * 20_001)
    expect(page.locator(".note")).to_contain_text("at most 20,000 characters")
    assert text(page) == story
    # Near the limit the page says so, before anything is refused.
    page.keyboard.press("Control+End")
    page.keyboard.insert_text("x" * (19_000 - len(story)))
    expect(page.locator(".note")).to_contain_text("19,000 of at most 20,000 characters.")
    # A model may have written more than a person may: what gets shorter is taken.
    page.evaluate(
        "const tokens = Array.from({ length: 4300 }, () => ({ t: ' word', s: 1, i: 1, r: 0 }));"
        "writer.state.tokens.splice(0, Infinity, ...tokens); writer.display.showTokens()"
    )
    page.keyboard.press("Control+End")
    page.keyboard.press("Backspace")
    assert page.evaluate("writer.editor.text.length") == 21_499
    page.keyboard.insert_text("xx")
    expect(page.locator(".note")).to_contain_text("at most 20,000 characters")
    assert page.evaluate("writer.editor.text.length") == 21_499
