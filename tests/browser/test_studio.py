"""Train and Models in the running app, with real runs: what is started, watched, paused, resumed,
written with, exported and deleted; after a reload, in a second tab and after the app was
restarted."""

from __future__ import annotations

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.actions import button, violations
from tests.browser.conftest import every_core
from tests.paths import ROOT
from tests.processes import free_port
from tests.trainer.corpus import hub

STORIES = [
    f"Once upon a time, a {animal} found a {thing}. The {animal} was happy. It gave the {thing} "
    "to a friend, and they played all day. Then they went home."
    for animal in ("cat", "dog", "fox", "frog", "bird", "bear")
    for thing in ("ball", "hat", "kite", "drum", "boat", "cake", "lamp", "leaf")
]
# A model of some ten thousand weights, whose updates take milliseconds. Its checkpoints are larger
# than DISK.
TINY = {
    "corpus.tokenizer": "train:300",
    "corpus.validation_share": 0.2,
    "corpus.min_tokens": 4,
    "model.hidden": 64,
    "model.num_layers": 1,
    "model.num_heads": 1,
    "model.intermediate": 16,
    "model.context": 32,
    "optim.global_batch": 4,
    "run.validate_blocks": 2,
    "run.validate_every": 20,
    "run.sample_length": 8,
    "run.evaluate_stories": 2,
    "run.continue_stories": 0,
    "run.snapshots": 0,
}
DISK = 2**16  # bytes of the largest file on a full disk, more than a run's messages
WAIT = 900_000  # ms: a run starts a process that imports PyTorch
# The app as its command starts it, but for this: beside a busy suite, a process of lower priority
# waits minutes for its turn.
APP = """
from playground.runs import tasks, training
tasks.lower_priority = training.lower_priority = lambda _: None
import app
app.main()
"""
pytestmark = pytest.mark.timeout(3600)


@contextlib.contextmanager
def running(model: Path, runs: Path, log: Path, **environment: str) -> Iterator[str]:
    """Run the app and yield the address that it prints, with the key."""
    command = [sys.executable, "-c", APP, "--no-browser", "--port", str(free_port())]
    with every_core(), log.open("w") as errors:
        app = subprocess.Popen(
            [*command, "--model", str(model), "--runs", str(runs)],
            cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        )  # fmt: skip
    assert app.stdout is not None
    line = app.stdout.readline()
    try:
        assert line.startswith("Inkling is open at "), log.read_text()
        yield line.split()[4]
    finally:
        app.terminate()
        app.wait(60)
        app.stdout.close()
    assert "Traceback" not in log.read_text()


@pytest.fixture(scope="module")
def model(export: Callable[..., Path]) -> Path:
    return export("tale", ends=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of runs; what still trains at the end is ended."""
    folder = tmp_path_factory.mktemp("studio") / "runs"
    yield folder
    for launch in folder.glob("*/.studio/launch.json"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            os.killpg(json.loads(launch.read_text())["pid"], signal.SIGKILL)


@pytest.fixture(scope="module")
def printed(model: Path, runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    place = tmp_path_factory.mktemp("app")
    with hub.serve({"train": STORIES[:40], "validation": STORIES[40:]}, {}) as (address, _):
        keys = {"HF_ENDPOINT": address, "HF_HOME": str(place / "hf"), "HF_HUB_DISABLE_XET": "1"}
        with running(model, runs, place / "log", **keys) as printed:
            yield printed


@pytest.fixture
def context(browser: Browser, printed: str) -> Iterator[BrowserContext]:
    """A browser of the owner; no script of a page may fail."""
    context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
    problems: list[str] = []
    context.on("weberror", lambda problem: problems.append(str(problem.error)))
    page = context.new_page()
    page.goto(printed)
    page.close()
    yield context
    context.close()
    assert problems == []


def visit(context: BrowserContext, address: str) -> Page:
    page = context.new_page()
    page.goto(address)
    page.locator("body[ready]").wait_for()
    return page


def base_of(printed: str) -> str:
    return printed.split("?")[0]


def check_look(page: Page) -> None:
    """At both widths, by day and by night: axe finds nothing, and nothing is too wide."""
    looks: tuple[tuple[tuple[int, int], Literal["light", "dark"]], ...]
    looks = (((1280, 800), "light"), ((390, 844), "dark"))
    for size, scheme in looks:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        # A curve is drawn anew in its new width some frames after the window has it.
        page.evaluate("""async () => {
          const end = Date.now() + 30_000;
          while (document.documentElement.scrollWidth > innerWidth && Date.now() < end)
            await new Promise((resolve) => setTimeout(resolve, 20));
        }""")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert violations(page) == []
    page.set_viewport_size({"width": 1280, "height": 800})


def start_twice(page: Page, name: str, settings: dict[str, Any]) -> None:
    """Start a run as the page does, from two tabs at once: one run and one message."""
    answers = page.evaluate(
        """values => {
          const headers = { "content-type": "application/json", "x-inkling-studio": "1" };
          const body = JSON.stringify({ preset: "smoke", anyway: true, ...values });
          const ask = () => fetch("studio/runs", { method: "POST", headers, body });
          const both = [ask(), ask()].map(async (asked) => {
            const answer = await asked;
            return [answer.status, (await answer.json()).detail ?? ""];
          });
          return Promise.all(both);
        }""",
        {"name": name, "settings": settings},
    )
    (started, _), (refused, why) = sorted(answers)
    assert (started, refused) == (201, 409), answers
    assert "choose another name" in why


def steps_of(page: Page, name: str) -> list[int]:
    """The steps of a run's curve as the page gets it."""
    found: list[int] = page.evaluate(
        "async name => (await (await fetch(`studio/runs/${name}/curve`)).json()).train.step", name
    )
    return found


def drop(page: Page, files: list[Path]) -> None:
    """Drop files and folders on the box for stories, as from the desktop."""
    box = page.locator("[data-part=drop]")
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    assert place is not None
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        at = {"x": place["x"] + 20, "y": place["y"] + 20}
        session.send("Input.dispatchDragEvent", {"type": kind, **at, "data": data})


def state(page: Page, name: str) -> None:
    expect(page.locator("[data-part=state]")).to_have_text(name, timeout=WAIT)


def test_a_visitor_sees_no_bar_and_no_place(browser: Browser, printed: str) -> None:
    page = browser.new_page()
    page.goto(base_of(printed))
    page.locator("inkling-writer[ready]").wait_for()
    expect(page.locator("nav.places")).to_be_hidden()
    for place in ("train", "models"):
        page.goto(f"{base_of(printed)}{place}")
        expect(page.get_by_label("The key")).to_be_visible()
    page.context.close()


def test_a_model_is_trained_from_pasted_stories(
    context: BrowserContext, printed: str, runs: Path
) -> None:
    page = visit(context, f"{base_of(printed)}train")
    check_look(page)
    page.get_by_label("My stories").check()
    button(page, "Paste text").click()
    page.get_by_label("Your stories").fill("\n\n".join(STORIES))
    page.get_by_label("Name of these stories").fill("tales")
    button(page, "Use this text").click()
    reading = page.locator("[data-part=reading]")
    expect(reading.locator("dd").first).to_have_text("48", timeout=WAIT)
    expect(reading).to_contain_text("Once upon a time, a cat found a ball.")
    assert (runs.parent / "stories" / "tales" / "pasted.jsonl").is_file()
    page.get_by_label("smoke").check()
    page.get_by_text("Advanced settings").click()
    for section in ("Run:", "Stories:", "Model:", "Optimizer"):
        page.locator("summary", has_text=section).click()
    for key, value in TINY.items():
        page.get_by_label(key, exact=True).fill(str(value))
        page.keyboard.press("Tab")
    page.locator("[id='set-optim.lr']").fill("fast")
    page.keyboard.press("Tab")
    expect(page.locator("[id='set-optim.lr']")).to_have_attribute("aria-invalid", "true")
    page.locator("[id='set-optim.lr']").fill("0.003")
    page.keyboard.press("Tab")
    page.locator("summary", has_text=re.compile("^Command$")).click()
    expect(page.locator("[data-part=command]")).to_contain_text("--optim.lr=0.003")
    # A dry run on this machine says how long it takes.
    expect(page.locator("[data-part=lengths] label").first).to_be_visible(timeout=WAIT)
    expect(page.locator("[data-part=summary]")).to_contain_text("about")
    check_look(page)
    page.reload()
    page.locator("body[ready]").wait_for()
    expect(page.get_by_label("optim.lr", exact=True)).to_have_value("0.003")
    page.get_by_label("Name of the run").fill("../mine")
    button(page, "Start training").click()
    expect(page.get_by_role("alert").first).to_contain_text("cannot be the name of a run")
    page.get_by_label("Name of the run").fill("mine")
    button(page, "Start training").click()
    page.wait_for_url("**/train?run=mine")
    page.locator("body[ready]").wait_for()
    state(page, "finished")
    expect(page.locator("[data-part=percent]")).to_have_text("100%")
    expect(page.locator("[data-part=figures]")).to_contain_text("60 of 60")
    expect(page.locator("[data-part=samples] p")).to_have_count(2)
    expect(page.locator(".uplot canvas")).to_be_visible()
    page.get_by_text("Settings of this run").click()
    expect(page.locator("tr.given", has_text="optim.lr")).to_contain_text("0.003")
    check_look(page)
    page.go_back()
    page.locator("body[ready]").wait_for()
    expect(page.get_by_role("heading", name="Stories")).to_be_visible()
    page.go_forward()
    state(page, "finished")


def test_stories_are_dropped_and_chosen(
    context: BrowserContext, printed: str, runs: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "pets"
    (folder / "more").mkdir(parents=True)
    (folder / "a.txt").write_text("\n<|endoftext|>\n".join(STORIES[:20]))
    (folder / "more" / "b.txt").write_text("\n<|endoftext|>\n".join(STORIES[20:30]))
    (folder / "picture.png").write_bytes(b"no story")
    (folder / ".hidden.txt").write_text("no story")
    page = visit(context, f"{base_of(printed)}train")
    page.get_by_label("My stories").check()
    count = page.locator("[data-part=reading] dd").first
    drop(page, [folder])
    expect(count).to_have_text("30", timeout=WAIT)
    expect(page.locator("[data-part=sending]")).to_contain_text("picture.png")
    written = sorted(file.name for file in (runs.parent / "stories" / "pets").iterdir())
    assert written == ["pets-a.txt", "pets-more-b.txt"]
    page.locator("[data-part=files]").set_input_files([folder / "a.txt", folder / "more" / "b.txt"])
    expect(page.get_by_role("radio", name=re.compile("^a "))).to_be_checked()
    expect(count).to_have_text("30", timeout=WAIT)
    page.get_by_label("From the Hub").check()
    page.locator("#hub").fill(hub.NAME)
    page.keyboard.press("Tab")
    expect(count).to_have_text("48", timeout=WAIT)


def test_a_run_is_watched_paused_written_with_and_resumed(
    context: BrowserContext, printed: str
) -> None:
    page = visit(context, f"{base_of(printed)}models")  # Train would start a dry run
    long = {"optim.steps": 1_000_000, "run.save_every": 20, "runtime.compile": "off"}
    start_twice(page, "long", TINY | long)
    page = visit(context, f"{base_of(printed)}train?run=long")
    state(page, "training")
    other = visit(context, f"{base_of(printed)}models?compare=long,mine")
    expect(other.locator(".run-card", has_text="long")).to_contain_text("training")
    expect(other.locator("[data-part=differences]")).to_contain_text("1000000")
    expect(other.locator(".compare .uplot canvas")).to_be_visible()
    check_look(other)
    other.get_by_label("over").select_option("time")
    other.get_by_label("Logarithmic").check()
    other.get_by_label("Compare mine").uncheck()
    expect(other).to_have_url(re.compile(r"models\?compare=long$"))
    other.go_back()
    expect(other.get_by_label("Compare mine")).to_be_checked()

    expect(button(page, "Write with it now")).to_be_visible(timeout=WAIT)
    button(page, "Write with it now").click()
    page.locator("inkling-writer[ready]").wait_for(timeout=WAIT)
    expect(page.locator("#ink-model")).to_have_value(re.compile("^long, step "))
    page.go_back()
    page.locator("body[ready]").wait_for()
    state(page, "training")
    # Another run: a name that exists has one remedy, a busy machine another.
    second = visit(context, f"{base_of(printed)}train")
    for name, why, is_offered in (
        ("long", "choose another name", False),
        ("second", "Long is training", True),
    ):
        second.get_by_label("Name of the run").fill(name)
        button(second, "Start training").click()
        expect(second.get_by_role("alert").first).to_contain_text(why)
        expect(button(second, "Start it anyway")).to_be_visible(visible=is_offered)
    second.close()
    button(page, "Pause").click()
    state(page, "paused")
    step = page.locator("[data-part=figures] dd").first.inner_text()
    expect(other.locator(".run-card", has_text="long")).to_contain_text("paused")
    page.reload()
    state(page, "paused")
    expect(page.locator("[data-part=figures] dd").first).to_have_text(step)
    button(page, "Resume").click()
    state(page, "training")
    context.set_offline(True)
    expect(page.get_by_role("alert").first).to_contain_text("The app does not answer.")
    context.set_offline(False)
    expect(page.get_by_role("alert").first).to_be_hidden()


@pytest.mark.skipif(sys.platform != "linux", reason="prlimit is of Linux")
def test_a_run_that_was_killed_or_met_a_full_disk_goes_on(
    context: BrowserContext, printed: str, runs: Path
) -> None:
    """The run of the test before."""
    page = visit(context, f"{base_of(printed)}train?run=long")
    state(page, "training")
    os.kill(json.loads((runs / "long" / "state.json").read_text())["pid"], signal.SIGKILL)
    state(page, "stopped")
    expect(page.locator("[data-part=message]")).to_contain_text("Resume continues after step")
    before = steps_of(page, "long")
    button(page, "Resume").click()
    state(page, "training")

    # The next checkpoint cannot be written.
    pid = json.loads((runs / "long" / "state.json").read_text())["pid"]
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (DISK, DISK))
    state(page, "failed")
    message = page.locator("[data-part=message]")
    expect(message).to_contain_text(re.compile("the disk failed.*File too large.*make room"))
    after = steps_of(page, "long")
    assert after[0] <= before[0] and after[-1] >= before[-1] and after == sorted(set(after))
    expect(button(page, "Resume")).to_be_visible()
    button(page, "Start over").click()
    page.get_by_label("Type long to be sure").fill("long")
    page.get_by_role("dialog").get_by_role("button", name="Start over").click()
    state(page, "training")
    button(page, "Stop and keep").click()
    state(page, "stopped")
    expect(button(page, "Resume")).to_be_visible()


def test_the_list_survives_the_app_and_deletes_only_what_was_named(
    browser: Browser, model: Path, runs: Path, tmp_path: Path
) -> None:
    with running(model, runs, tmp_path / "log") as printed:
        context = browser.new_context(locale="en-GB", viewport={"width": 1280, "height": 800})
        page = context.new_page()
        page.goto(printed)
        page = visit(context, f"{base_of(printed)}models")
        card = page.locator(".run-card", has=page.get_by_role("link", name="mine", exact=True))
        expect(card).to_contain_text("finished")
        expect(card).to_contain_text("Perplexity")
        expect(page.locator(".run-card", has_text="long")).to_contain_text("stopped")
        card.get_by_role("button", name="Evaluate").click()
        expect(card.get_by_role("button", name="Evaluate")).to_be_disabled()
        expect(card.get_by_role("button", name="Evaluate")).to_be_enabled(timeout=WAIT)
        assert (runs / "mine" / ".studio" / "evaluation.json").is_file()
        card.get_by_role("button", name="Export").click()
        page.get_by_label("safetensors").check()
        page.get_by_role("dialog").get_by_role("button", name="Export").click()
        link = card.get_by_role("link", name=re.compile(r"mine-60.*\.zip"))
        expect(link).to_be_visible(timeout=WAIT)
        with page.expect_download() as download:
            link.click()
        assert download.value.suggested_filename.endswith(".zip")
        card.get_by_role("button", name="Delete").click()
        dialog = page.get_by_role("dialog")
        assert violations(page) == []
        expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
        dialog.get_by_role("button", name="Keep it").click()
        expect(card).to_be_visible()
        card.get_by_role("button", name="Delete").click()
        dialog.get_by_label("Type mine to be sure").fill("mine")
        dialog.get_by_role("button", name="Delete").click()
        expect(card).to_have_count(0)
        assert not (runs / "mine").exists() and (runs / "long").is_dir()
        page.goto(f"{base_of(printed)}train?run=mine")
        expect(page.get_by_role("alert").first).to_contain_text("There is no run 'mine'")
        context.close()
