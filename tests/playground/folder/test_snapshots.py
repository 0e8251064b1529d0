"""The snapshots of a run as the page finds them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from playground.folder.history import read_snapshots, snapshots_of


def take(folder: Path, step: int, **others: Any) -> Path:
    """A snapshot's folder, without a model."""
    place = folder / f"step-{step:08d}"
    place.mkdir(parents=True)
    record: dict[str, Any] = {
        "step": step,
        "tokens_seen": step * 10,
        "loss": 9.5,
        "validation_loss": None,
    }
    record |= {"stories": [{"prompt": "Once", "story": f"Once {step}"}]}
    (place / "snapshot.json").write_text(json.dumps(record | others), encoding="utf-8")
    return place


def test_new_snapshots_are_found_and_halves_are_left_out(tmp_path: Path) -> None:
    first = take(tmp_path, 20)
    assert read_snapshots(tmp_path) == [(20, 200, 9.5, "Once 20", first)]
    take(tmp_path, 3, validation_loss=8.25)
    (tmp_path / "step-00000030").mkdir()
    take(tmp_path, 40, stories=[])
    assert [(one.step, one.loss) for one in read_snapshots(tmp_path)] == [(3, 8.25), (20, 9.5)]
    assert read_snapshots(tmp_path / "none") == []


@pytest.mark.parametrize("model", ["", "export", ".studio/model/step-00000400"])
def test_a_model_of_a_run_has_the_run_s_snapshots(tmp_path: Path, model: str) -> None:
    folder = tmp_path / model
    folder.mkdir(parents=True, exist_ok=True)
    assert snapshots_of(folder) is None
    (tmp_path / "run.json").write_text("{}")
    take(tmp_path / "snapshots", 1)
    assert snapshots_of(folder) == tmp_path / "snapshots"
