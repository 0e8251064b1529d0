"""The command: a dry run shows everything and sends nothing; what is wrong is one sentence."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from playground.publish import __main__ as command
from playground.publish import hub as client
from playground.publish import staging
from tests.paths import ROOT
from tests.playground.publish.hub_server import TOKEN, Hub


@pytest.fixture
def folder(tiny_export: Path, tmp_path: Path) -> Path:
    folder = shutil.copytree(tiny_export, tmp_path / "export")
    shutil.copy(ROOT / "models" / "storyteller" / "README.md", folder)
    return folder


def test_a_dry_run_sends_nothing(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "LEFT_SHOWN", 10_000)  # whatever else lies in this checkout
    assert command.main(["model", str(folder), "lily/tale", "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert (
        "model.safetensors" in output and "model-index" in output and "Nothing was sent." in output
    )
    assert command.main(["space", "lily/tale", "--target", "cpu", "--dry-run"]) == 0
    output = capsys.readouterr().out
    for part in (
        "app.py",
        "playground/web/editor/writer.js",
        "short_description",
        "trainer/: not on the list",
    ):
        assert part in output
    assert hub.requests == []


def test_a_card_without_stories_gets_some(hub: Hub, folder: Path) -> None:
    card = folder / "README.md"
    card.write_text(card.read_text(encoding="utf-8").split("## Samples")[0], encoding="utf-8")
    assert command.main(["model", str(folder), "lily/tale"]) == 0
    published = hub.files("model", "lily/tale")["README.md"].decode()
    assert "## Samples" in published and "> Once upon a time" in published


def test_a_model_and_its_space_are_published_and_updated(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "POLL", 0)
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)
    monkeypatch.delattr(command, "sample_stories")  # the card has stories
    assert command.main(["space", "lily/tale", "--target", "cpu"]) == 2
    assert "publish it first" in capsys.readouterr().err
    assert command.main(["model", str(folder), "lily/tale", "--private"]) == 0
    assert f"{hub.url}/lily/tale is published." in capsys.readouterr().out
    assert hub.repositories["model", "lily/tale"].private
    card = hub.files("model", "lily/tale")["README.md"].decode()
    assert (
        card.count("## Samples") == 1 and "> **Once upon a time**, there was a little girl" in card
    )
    assert command.main(["space", "lily/tale", "--target", "cpu"]) == 0
    output = capsys.readouterr()
    assert "It runs, and writes: Once upon a time there was a fox" in output.out
    assert f"{hub.url}/spaces/lily/tale" in output.out
    assert TOKEN not in output.out + output.err
    files = hub.files("space", "lily/tale")
    assert files["space.json"] == b'{"model": "lily/tale"}\n'
    assert b"models:\n- lily/tale\n" in files["README.md"]
    assert not any(path.endswith(".safetensors") for path in files)
    hub.stages = ["RUNNING"]
    assert command.main(["space", "lily/tale", "--target", "cpu"]) == 0
    assert len(hub.repositories["space", "lily/tale"].commits) == 2


def test_a_static_space_is_published_and_updated(
    hub: Hub, folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "POLL", 0)
    monkeypatch.setattr(client.time, "sleep", lambda seconds: None)
    static = ["space", "lily/tale", "--target", "static", "--export", str(folder)]
    assert command.main([*static, "--dry-run"]) == 0
    output = capsys.readouterr().out
    assert "web/sampling/core.wasm" in output and "sdk: static" in output and ".inkling" in output
    assert command.main(["model", str(folder), "lily/tale"]) == 0
    assert command.main(static) == 0
    output = capsys.readouterr().out
    assert "It runs with the model " in output
    files = hub.files("space", "lily/tale")
    start = json.loads(files["start.json"])
    assert start["address"] == "https://huggingface.co/spaces/lily/tale?story="
    assert len(files[start["model"]["weights"]]) == start["model"]["bytes"]
    assert b"sdk: static\napp_file: index.html" in files["README.md"]
    before = start["model"]["weights"]
    hub.stages = ["RUNNING"]
    assert command.main([*static, "--weights", "int8"]) == 0
    assert before not in hub.files("space", "lily/tale"), "the old weights are taken away"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ([], "the following arguments are required"),
        (["model", "x", "lily/tale"], "x is not a folder"),
        (["model", ".", "tale"], "'tale' is not a name on the Hub: give it as USER/NAME."),
        (["space", "lily/ta le"], "is not a name on the Hub"),
        (["space", "lily/" + "x" * 100], "is not a name on the Hub"),
        (["space", "lily/tale..s"], "'lily/tale..s' is not a name on the Hub. Cannot have"),
        (["space", "lily/tale.git"], "'lily/tale.git' is not a name on the Hub. Repo_id"),
        (["model", ".", "lily/tale-", "--dry-run"], "'lily/tale-' is not a name on the Hub."),
        (["model", ".", "/tale", "--dry-run"], "'/tale' is not a name on the Hub"),
        (["space", "lily/tale", "--target", "tpu"], "argument --target: invalid choice: 'tpu'"),
        (["space", "lily/tale", "--target", "static", "--export", "x"], "x"),
        (["space", "lily/tale", "--model", "tale"], "'tale' is not a name on the Hub"),
    ],
)
def test_what_is_wrong_is_one_sentence(
    hub: Hub, words: list[str], part: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(words) == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ") and part in message and message.count("\n") == 1
    assert hub.requests == []
