"""Look closer: the list of views, and one that is added by the recipe of docs/extending.md."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import (
    DAY,
    DESK,
    button,
    fresh_page,
    look_closer,
    on_both_screens,
    open_page,
    sheet,
    type_at_end,
    violations,
    write,
)
from tests.browser.component.conftest import serving
from tests.paths import ROOT
from tests.recipes import follow


@pytest.fixture
def extended(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The component of a copy of the tree in which the recipe was followed."""
    shutil.copytree(ROOT / "playground" / "web", tmp_path / "playground" / "web")
    follow("A view", tmp_path)
    with (
        serving(tmp_path / "playground" / "web") as address,
        fresh_page(browser, 60_000, **DESK | DAY) as page,
    ):
        open_page(page, address)
        yield page


def test_a_view_that_the_recipe_adds_follows_the_story(extended: Page) -> None:
    page = extended
    write(page, "Once upon a time", length=6)
    look_closer(page, "Count")
    view = page.locator(".view")
    expect(view.get_by_role("heading")).to_have_text("Count")
    expect(view.get_by_role("heading")).to_be_focused()
    expect(view.locator(".view-count")).to_have_text("10 tokens")
    assert page.locator(".view-count").evaluate("node => getComputedStyle(node).fontSize") == "32px"
    type_at_end(page, " It rained.")
    expect(view.locator(".view-count")).to_have_text("12 tokens")
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
    expect(button(page, "Count")).to_be_focused()


def test_a_view_that_does_not_load_is_named(page: Page) -> None:
    page.route("**/learning/view.js", lambda route: route.abort())
    look_closer(page, "How the model learned to write")
    expect(page.locator(".note")).to_contain_text("How the model learned to write did not load.")
    expect(page.locator(".view")).to_be_hidden()


# A server with three snapshots, whose stories and surprises are made of the step.
SERVER = """() => {
  const calls = window.calls = [];
  const stageOf = (step) => ({ step, tokens: step * 1000, loss: 9 / step + 1, story: "told" });
  let stages = [1, 20, 300].map(stageOf);
  window.take = (step) => stages = [...stages, stageOf(step)];
  Object.assign(writer.source, { isServer: true, async once(name, request) {
    calls.push([name, request]);
    if (name === "page_snapshots") return { stages };
    const words = (request.text ?? "").split(" ");
    const scored = words.map((word) => [` ${word}`, 9 / request.step, 1]);
    if (name === "page_snapshot_score") return { tokens: scored };
    const { length } = request.settings, seed = request.seeds[0] % 7;
    const told = Array.from({ length }, (_, k) => [` ${request.step}-${seed}-${k}`, 1, k]);
    return { prompt: request.text, tokens: told };
  } });
  writer.state.now.model.snapshots = true;
  writer.state.now.model.history = [];
}"""
SEEDS = "calls.filter(([name]) => name.endsWith('story')).map(([, { seeds }]) => seeds[0])"


@on_both_screens
def test_every_snapshot_writes_the_story_with_the_same_draws(page: Page) -> None:
    page.clock.install()
    page.evaluate(SERVER)
    sheet(page).click()
    page.keyboard.insert_text("A fox ran home. It sang.")
    look_closer(page, "How the model learned to write")
    view = page.locator(".view-learning")
    slider, tale = view.get_by_role("slider"), view.locator(".tale")
    expect(tale).to_contain_text("A fox ran home. 300-")
    slider.press("ArrowLeft")
    expect(tale).to_contain_text("A fox ran home. 20-")
    view.get_by_label("Opening of the story").fill("Tom")
    expect(tale).to_contain_text("Tom 20-")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("20,000 tokens.*Loss: 1.45"))
    assert len({*page.evaluate(SEEDS)}) == 1
    button(page, "Other random numbers").click()
    page.wait_for_function(f"new Set({SEEDS}).size === 2")
    # The strip chart: a row for each snapshot, a column for each word.
    rows = view.locator("table tr")
    expect(rows).to_have_count(4)
    expect(rows.nth(0).locator("th")).to_have_text(["A", "fox", "ran", "home."])
    expect(rows.nth(1).locator("td")).to_have_text(["< 0.1 %"] * 4)
    expect(rows.nth(2).locator("td")).to_have_text(["64 %"] * 4)
    expect(rows.nth(3).locator("td")).to_have_text(["97 %"] * 4)
    rows.nth(1).get_by_role("button").click()
    expect(tale).to_contain_text("Tom 1-")
    # One that the run takes now appears, and the choice stays.
    page.evaluate("take(4000)")
    expect(rows).to_have_count(5)
    expect(rows.nth(4).locator("td").first).to_have_text("100 %")
    expect(tale).to_contain_text("Tom 1-")
    assert violations(page, "inkling-writer") == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Closed, it asks for nothing more.
    page.keyboard.press("Escape")
    expect(view).to_be_hidden()
    count = page.evaluate("calls.length")
    page.clock.fast_forward(3500)  # longer than the view waits between two looks
    assert page.evaluate("calls.length") == count
