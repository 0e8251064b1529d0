"""The page "Publish", from the running app to a Hub on this machine; another site cannot use it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.actions import AXE
from tests.paths import ROOT
from tests.playground.publish import hub_server
from tests.playground.publish.hub_server import TOKEN, Hub
from tests.processes import free_port


@pytest.fixture(scope="module")
def far() -> Iterator[Hub]:
    with hub_server.serve() as hub:
        hub.stages = ["RUNNING"]
        yield hub


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("hf")


@pytest.fixture(scope="module")
def printed(
    far: Hub, home: Path, tiny_export: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """The address that the app prints, of an app with a model that has a card."""
    folder = shutil.copytree(tiny_export, tmp_path_factory.mktemp("models") / "tale")
    shutil.copy(ROOT / "models" / "storyteller" / "README.md", folder)
    port = free_port()
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("HF_")
    } | {"HF_ENDPOINT": far.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
    command = [sys.executable, "app.py", "--no-browser", "--port", str(port)]
    with subprocess.Popen(
        [*command, "--model", str(folder)], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith(f"Inkling is open at http://127.0.0.1:{port}/?key="), line
        yield line.split()[4]
        process.terminate()


@pytest.fixture(scope="module")
def address(printed: str) -> str:
    """The same without the key."""
    return printed.split("/?")[0]


def test_a_model_is_published_from_the_page(
    printed: str,
    address: str,
    far: Hub,
    home: Path,
    browser: Browser,
) -> None:
    context = browser.new_context(locale="en-GB")
    page: Page = context.new_page()
    publish = page.get_by_role("navigation").get_by_role("link", name="Publish")
    page.goto(address)
    page.locator("inkling-writer[ready]").wait_for()
    expect(publish).to_be_hidden()  # nobody is known yet
    page.goto(f"{address}/publish")
    page.get_by_label("The key").fill("wrong")
    page.get_by_role("button", name="Open").click()
    expect(page.get_by_label("The key")).to_have_value("")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)") == []
    page.get_by_label("The key").fill(printed)  # the whole address does as well
    page.get_by_role("button", name="Open").click()
    page.locator("body[ready]").wait_for()
    context.clear_cookies()
    page.goto(printed)
    expect(page).to_have_url(f"{address}/")
    publish.click()
    page.locator("body[ready]").wait_for()
    expect(page.locator("#account")).to_have_text("You are not logged in.")
    page.get_by_label("Access token with write permission").fill("hf_wrong")
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#account")).to_contain_text("does not accept this token")
    page.get_by_label("Access token with write permission").fill(TOKEN)
    page.get_by_role("button", name="Log in").click()
    expect(page.locator("#account")).to_have_text("You are logged in as lily.")
    assert (home / "token").read_text() == TOKEN  # huggingface_hub's own place
    form = page.locator('form[data-kind="model"]')
    form.get_by_label("Repository on the Hub").fill("tale")
    form.get_by_role("button", name="Show what would be sent").click()
    expect(page.locator("#error")).to_contain_text(
        "'tale' is not a name on the Hub", timeout=30_000
    )
    form.get_by_label("Repository on the Hub").fill("lily/tale")
    form.get_by_role("button", name="Show what would be sent").click()
    expect(page.locator("#lines")).to_contain_text("Nothing was sent.", timeout=30_000)
    expect(page.locator("#lines")).to_contain_text("model.safetensors")
    assert not far.repositories
    form.get_by_label("private").check()
    form.get_by_role("button", name="Publish the model").click()
    expect(page.locator("#lines")).to_contain_text("/lily/tale is published.", timeout=60_000)
    assert far.repositories["model", "lily/tale"].private
    assert TOKEN not in page.content()
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate("async () => (await axe.run()).violations.map((one) => one.id)") == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    context.close()


def test_another_site_cannot_publish(address: str) -> None:
    """A form of another site can send text here, and no header of its own."""
    wish = json.dumps({"kind": "model", "name": "lily/x", "export": "."}).encode()
    for path in ("start", "login"):
        asked = urllib.request.Request(
            f"{address}/publish/{path}", wish, {"Content-Type": "text/plain"}
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(asked)
        assert refusal.value.code == 403
    # What asks a browser for leave to send the header gets none.
    asked = urllib.request.Request(
        f"{address}/publish/start",
        method="OPTIONS",
        headers={
            "Origin": "https://evil.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "x-inkling-publish",
        },
    )
    try:
        allowed = urllib.request.urlopen(asked).headers.get("access-control-allow-origin")
    except urllib.error.HTTPError as refused:
        allowed = refused.headers.get("access-control-allow-origin")
    assert allowed != "*" and allowed != "https://evil.example"
