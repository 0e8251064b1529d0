"""What a run can do without costs it a warning, and never its model."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from transformers import LlamaForCausalLM

from tests.paths import ROOT
from tests.trainer.small_run import SMALL
from trainer.output.console import best_effort
from trainer.train import main

NOTEBOOK = {"MPLBACKEND": "module://matplotlib_inline.backend_inline"}


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stores")


@pytest.fixture
def command(tmp_path: Path, stores: Path) -> list[str]:
    return [
        *SMALL, "--optim.steps", "4",
        "--run.dir", str(tmp_path / "run"), "--corpus.folder", str(stores),
    ]  # fmt: skip


def refuse(*_: Any, **__: Any) -> None:
    raise RuntimeError("no such luck\nsecond line")


def warnings(capsys: pytest.CaptureFixture[str]) -> list[str]:
    lines = capsys.readouterr().err.replace("\r", "\n").splitlines()
    return [line for line in lines if line.startswith("warning: ")]


def test_an_error_becomes_one_warning_and_ctrl_c_does_not() -> None:
    messages: list[str] = []
    with best_effort("the curve", messages.append):
        refuse()
    assert messages == ["warning: the curve is left out (no such luck)"]
    with pytest.raises(KeyboardInterrupt), best_effort("the curve", messages.append):
        raise KeyboardInterrupt
    assert len(messages) == 1


@pytest.mark.slow
def test_a_curve_and_stories_that_cannot_be_made_do_not_cost_the_model(
    command: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(Figure, "savefig", refuse)
    monkeypatch.setattr(LlamaForCausalLM, "generate", refuse)
    assert main(command) == 0
    messages = warnings(capsys)
    assert messages.count("warning: the curve is left out (no such luck)") == 1
    assert "warning: the sample stories is left out (no such luck)" in messages
    export = tmp_path / "run" / "export"
    assert (export / "model.safetensors").is_file()
    assert "curve.png" not in (export / "README.md").read_text(encoding="utf-8")
    assert not list(tmp_path.rglob("*.partial"))
    training = json.loads((export / "training.json").read_text(encoding="utf-8"))
    assert training["validation"]["stories"] == 1
    assert training["samples"] == []
    assert (tmp_path / "run" / "checkpoints" / "step-00000004").is_dir()


@pytest.mark.slow
def test_the_same_command_completes_an_export_that_an_interruption_left_without_its_card(
    command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == 0
    export = tmp_path / "run" / "export"
    before = (export / "model.safetensors").read_bytes()
    for file in ("README.md", "curve.png"):
        (export / file).unlink()
    record = next((tmp_path / "run" / "snapshots").glob("*/snapshot.json"))
    record.write_text("{")  # the history cannot be read
    capsys.readouterr()
    assert main(command) == 0
    assert [line[:34] for line in warnings(capsys)] == ["warning: the history is left out ("]
    assert (export / "README.md").is_file() and (export / "curve.png").is_file()
    assert (export / "model.safetensors").read_bytes() == before
    assert main(command) == 2
    assert "is finished" in capsys.readouterr().err


@pytest.mark.process
def test_the_backend_of_a_notebook_is_not_used(tmp_path: Path) -> None:
    lines = [{"step": step, "loss": 5.0 / step} for step in (1, 2)]
    (tmp_path / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "trainer.metrics", str(tmp_path), "--plot"],
        cwd=ROOT, env=os.environ | NOTEBOOK, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")
