"""Compare: columns with the same draws, where they differ, a blind vote, a link and a picture."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from tests.browser.actions import button, on_both_screens, requests, sheet, show_panel, violations

SEED = "7"


def compare(page: Page) -> None:
    """Open the view with a story's beginning and a fixed seed."""
    sheet(page).click()
    page.keyboard.insert_text("A fox ran home.")
    show_panel(page, "Look closer")
    button(page, "Compare side by side").click()
    view = page.locator(".view-compare")
    expect(view.get_by_label("How the stories begin")).to_have_value("A fox ran home.")
    view.get_by_label("Length", exact=True).fill("6")
    view.get_by_label("Seed", exact=True).fill(SEED)
    second = view.locator("section[data-column]").nth(1)
    second.get_by_label("Model").select_option("tiny")
    second.locator("summary").click()
    set_temperature(second, "1.2")


def set_temperature(column: Locator, value: str) -> None:
    """Set the temperature of a column whose settings are open."""
    column.get_by_label("Temperature").fill(value)
    column.get_by_label("Temperature").press("Enter")
    expect(column.get_by_label("Temperature")).to_be_focused()


# Columns of another temperature say another second word.
PARTS = """() => {
  const write = source.write.bind(source);
  source.write = async function* (request, signal) {
    let count = 0;
    for await (const message of write(request, signal)) {
      for (const [, texts, , ids] of count ? message.new : []) {
        if (count === 2 && request.settings.temperature > 1) [texts[0], ids[0]] = [" whale", 4711];
      }
      count += 1;
      yield message;
    }
  };
}"""


@on_both_screens
def test_equal_columns_are_equal_and_others_differ(page: Page) -> None:
    page.evaluate(PARTS)
    compare(page)
    view = page.locator(".view-compare")
    tales = view.locator(".tale")
    first, second = view.locator("section[data-column]").all()
    expect(second).to_contain_text("Temperature 1.2")
    button(page, "Write all").click()
    expect(view.get_by_role("status")).to_contain_text("underlined")
    expect(second.locator("mark")).to_have_text(" whale")
    expect(first.locator("mark")).to_have_count(0)
    table = second.locator("table")
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(table).to_contain_text("whale")
    expect(table.locator("td", has_text="%")).not_to_have_count(0)
    assert violations(page, ".view") == []
    # The same settings: the same words, and none is marked.
    set_temperature(second, "0.8")
    expect(tales.first).to_have_text("")
    button(page, "Write all").click()
    expect(view.get_by_role("status")).to_contain_text("the same to the last token")
    assert tales.nth(0).text_content() == tales.nth(1).text_content() != ""
    expect(view.locator("mark")).to_have_count(0)
    assert {tuple(one["seeds"]) for one in requests(page, "write")} == {(int(SEED),)}
    # More columns, and another draw for all of them.
    button(page, "Add a column").click()
    button(page, "Add a column").click()
    expect(button(page, "Add a column")).to_be_disabled()
    button(page, "Other random numbers").click()
    expect(view.get_by_role("status")).to_contain_text("the same to the last token")
    last = {one["seeds"][0] for one in requests(page, "write")[-4:]}
    assert len(last) == 1
    assert last != {int(SEED)}
    assert violations(page, ".view") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_stop_ends_every_column(page: Page) -> None:
    page.evaluate("source.holdAt = 2")
    compare(page)
    view = page.locator(".view-compare")
    button(page, "Write all").click()
    expect(view.locator(".tale").nth(1)).to_contain_text("home. ")
    button(page, "Stop").click()
    expect(view.get_by_role("status")).to_have_text("Stopped.")
    expect(button(page, "Write all")).to_be_visible()
    assert page.evaluate("source.closed") == 2


def test_a_blind_vote_is_kept_and_names_come_after_it(page: Page, tmp_path: Path) -> None:
    compare(page)
    view = page.locator(".view-compare")
    view.get_by_label("Blind vote").check()
    button(page, "Write all").click()
    ballot = view.get_by_role("group", name="Which story is better?")
    expect(ballot).to_be_visible()
    expect(view.get_by_role("heading", name="Left story")).to_be_visible()
    expect(view.locator(".chosen:visible")).to_have_count(0)
    assert violations(page, ".view") == []
    button(page, "Left").press("Enter")
    expect(ballot).to_be_hidden()
    expect(button(page, "Other random numbers")).to_be_focused()
    expect(view.get_by_role("status")).to_contain_text("temperature 1.2")
    rows = view.locator(".votes tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text("75%")  # one win, and half a one for each
    assert violations(page, ".view") == []
    with page.expect_download() as download:
        button(page, "Save as CSV").click()
    download.value.save_as(tmp_path / "votes.csv")
    head, row, *_ = (tmp_path / "votes.csv").read_text(encoding="utf-8").splitlines()
    assert head == '"time","prompt","seed","left","right","vote"'
    assert '"A fox ran home.","7",' in row
    assert row.endswith(',"left"')
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    show_panel(page, "Look closer")
    button(page, "Compare side by side").click()
    expect(rows).to_have_count(2)


def test_a_link_opens_the_comparison_and_a_picture_shows_it(page: Page, tmp_path: Path) -> None:
    compare(page)
    view = page.locator(".view-compare")
    button(page, "Write all").click()
    expect(view.get_by_role("status")).not_to_have_text("Writing…")
    stories = view.locator(".tale").all_text_contents()
    with page.expect_download() as download:
        button(page, "Save a picture").click()
    download.value.save_as(tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
    button(page, "Copy a link").click()
    assert "#compare=A+fox+ran+home." in page.url
    page.reload()
    page.locator("inkling-writer[ready]").wait_for()
    expect(view.get_by_role("status")).to_contain_text("same to the last token")
    expect(view.get_by_label("Seed", exact=True)).to_have_value(SEED)
    expect(view.locator("section[data-column]").nth(1)).to_contain_text("Temperature 1.2")
    assert view.locator(".tale").all_text_contents() == stories
