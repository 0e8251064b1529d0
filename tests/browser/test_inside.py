"""The view Inside on the served page: what a person chooses, sees and reaches by keyboard."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.actions import look_closer, on_both_screens, violations, write


@on_both_screens
def test_a_choice_is_looked_into(page: Page) -> None:
    write(page, "Once upon a time", length=12)
    look_closer(page, "Inside the model")
    view = page.locator(".view-inside")
    tokens, state = view.locator('[role="option"]'), view.get_by_role("status")
    rows = view.locator("tbody tr")
    expect(rows).to_have_count(3)  # the input and two layers
    expect(view.locator('[data-part="inside-progress"]')).not_to_contain_text("tried …")
    chosen = view.locator('[aria-selected="true"]')
    assert chosen.get_attribute("data-position") == str(tokens.count() - 1)
    # By mouse, then by keyboard.
    tokens.nth(4).click()
    expect(chosen).to_have_attribute("data-position", "4")
    view.get_by_role("listbox").press("ArrowLeft")
    expect(chosen).to_have_attribute("data-position", "3")
    expect(state).to_contain_text("Before the model chose")
    expect(view.locator('[data-part="inside-progress"]')).to_contain_text("3 of 3 tokens")
    # The shares of one head; what comes later has none.
    view.get_by_label("Layer", exact=True).select_option(label="2")
    view.get_by_label("Head").select_option(label="1")
    shares = view.locator('[role="option"][title*="%"]')
    expect(shares).to_have_count(3)
    expect(tokens.nth(3)).to_have_attribute("data-level", "0")
    assert violations(page, ".view") == []
    view.get_by_label("Colour the text by").select_option("removal")
    expect(view.get_by_label("Layer", exact=True)).to_be_disabled()
    expect(view.locator('[role="option"][title*="likely"]')).to_have_count(3)
    assert violations(page, ".view") == []
    overflow = page.locator("html").evaluate("node => node.scrollWidth - innerWidth")
    assert overflow <= 0
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
