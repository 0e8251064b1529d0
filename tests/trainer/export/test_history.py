"""What a model wrote while it learned: from the snapshots into one file, run after run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.export.complete import history_stages


def snapshot(folder: Path, step: int, **more: Any) -> None:
    place = folder / f"step-{step:08d}"
    place.mkdir(parents=True)
    record = {"format": 1, "step": step, "tokens_seen": step * 64, "loss": 4.5} | more
    (place / "snapshot.json").write_text(json.dumps(record), encoding="utf-8")


def story(text: str) -> list[dict[str, str]]:
    return [{"prompt": "Once", "story": text}]


def test_the_stages_are_the_snapshots_that_wrote_in_the_order_of_their_steps(
    tmp_path: Path,
) -> None:
    for step in (64, 1, 8):
        snapshot(tmp_path, step, stories=story(f"Once {step}"))
    snapshot(tmp_path, 3)  # of a version that recorded none
    stages = history_stages(tmp_path, "")
    assert [stage["step"] for stage in stages] == [1, 8, 64]
    assert stages[0] == {
        "step": 1, "tokens_seen": 64, "loss": 4.5, "stories": story("Once 1")
    }  # fmt: skip
    assert history_stages(tmp_path / "none", "") == []


def test_a_run_continues_the_history_of_the_model_that_it_started_from(tmp_path: Path) -> None:
    before = tmp_path / "before"
    snapshot(before / "snapshots", 10, stories=story("Once a"))
    content = {"format": 1, "stages": history_stages(before / "snapshots", "")}
    (before / "history.json").write_text(json.dumps(content), encoding="utf-8")
    training = {"tokens_seen": 700, "started_from": {"name": "older", "tokens_seen": 300}}
    (before / "training.json").write_text(json.dumps(training), encoding="utf-8")
    snapshot(tmp_path / "snapshots", 2, stories=story("Once b"))
    stages = history_stages(tmp_path / "snapshots", str(before))
    assert [stage["tokens_seen"] for stage in stages] == [640, 1_000 + 128]
    assert [stage["stories"][0]["story"] for stage in stages] == ["Once a", "Once b"]


def test_a_model_without_a_readable_history_is_no_obstacle(tmp_path: Path) -> None:
    snapshot(tmp_path / "snapshots", 2, stories=story("Once"))
    assert len(history_stages(tmp_path / "snapshots", "gpt2")) == 1  # on the Hub: no training.json
    before = tmp_path / "before"
    before.mkdir()
    (before / "training.json").write_text('{"tokens_seen": 700}', encoding="utf-8")
    for broken in ("", "[]", "{}", '{"format": 2, "stages": []}', '{"format": 1, "stages": 3}'):
        (before / "history.json").write_text(broken, encoding="utf-8")
        (stage,) = history_stages(tmp_path / "snapshots", str(before))
        assert stage["tokens_seen"] == 700 + 128
