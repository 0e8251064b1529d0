"""What a model wrote while it learned, read from its folder."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from playground.folder.history import CHARACTERS_MAX, STAGES_MAX, Stage, read_history
from playground.folder.model_folder import ModelFolder


def record(tokens_seen: Any, story: Any) -> dict[str, Any]:
    return {"step": 1, "tokens_seen": tokens_seen, "stories": [{"prompt": "p", "story": story}]}


def write(folder: Path, stages: Any) -> None:
    content = json.dumps({"format": 1, "stages": stages})
    (folder / "history.json").write_text(content, encoding="utf-8")


def test_stages_come_in_the_order_of_their_reading(tiny_export: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_export, tmp_path / "learned"))
    assert ModelFolder.open(folder).facts.history == ()
    write(folder, [record(500, "Once upon"), record(20, "Onceonce")])
    stages = ModelFolder.open(folder).facts.history
    assert stages == (Stage(20, None, "Onceonce"), Stage(500, None, "Once upon"))


@pytest.mark.parametrize(
    ("losses", "loss"),
    [
        ({"loss": 3.0, "validation_loss": 2.5}, 2.5),
        ({"loss": 3, "validation_loss": None}, 3.0),
        ({"loss": float("nan")}, None),
        ({"loss": "3"}, None),
    ],
)
def test_a_stage_has_the_loss_of_validation_if_there_is_one(
    tmp_path: Path, losses: dict[str, Any], loss: float | None
) -> None:
    write(tmp_path, [record(20, "Once") | losses])
    assert read_history(tmp_path) == (Stage(20, loss, "Once"),)


@pytest.mark.parametrize(
    "stages",
    [None, 3, "text", {}, [3], [{}], [{"tokens_seen": 3, "stories": []}], [record("3", "x")],
     [record(3, None)], [{"tokens_seen": 3, "stories": "x"}]],
)  # fmt: skip
def test_what_no_trainer_writes_is_left_out(tmp_path: Path, stages: Any) -> None:
    write(tmp_path, stages)
    assert read_history(tmp_path) == ()
    (tmp_path / "history.json").write_bytes(b"\xff{")
    assert read_history(tmp_path) == ()


def test_a_stranger_s_file_does_not_fill_the_page(tmp_path: Path) -> None:
    write(tmp_path, [record(k, "x" * 10 * CHARACTERS_MAX) for k in range(1_000)])
    stages = read_history(tmp_path)
    assert len(stages) == STAGES_MAX
    assert all(len(stage.story) == CHARACTERS_MAX for stage in stages)
