"""Stories that a model wrote while it was trained: the stages in the history.json of its export,
and the snapshots of its run, folders `step-NUMBER` with a model and snapshot.json."""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any, NamedTuple

from playground.folder.json_file import read_json

STAGES_MAX, CHARACTERS_MAX = 64, 4_000  # of a file, which may come from anybody
SNAPSHOTS = "snapshots"  # in the folder of a model or of a run
RUN = "run.json"  # in the folder of a run
LEVELS = 3  # of folders from a model up to its run's, at most
STEP = re.compile(r"step-(\d{1,9})")


class Stage(NamedTuple):
    """A stage of training: tokens seen, loss in nats per token (of validation, if measured), and
    the story for the first prompt."""

    tokens_seen: int
    loss: float | None
    story: str


class Snapshot(NamedTuple):
    """A snapshot: its step, tokens seen, loss in nats per token (of validation, if measured at that
    step), story for the run's first prompt, and folder."""

    step: int
    tokens_seen: int
    loss: float | None
    story: str
    folder: Path


def read_history(folder: Path) -> tuple[Stage, ...]:
    """Return the stages of a model folder in order; () without a readable file."""
    stages = read_json(folder / "history.json").get("stages")
    if not isinstance(stages, list):
        return ()
    valid = [stage for stage in map(stage_of, stages) if stage is not None]
    return tuple(sorted(valid, key=lambda stage: stage.tokens_seen)[:STAGES_MAX])


def stage_of(record: Any) -> Stage | None:
    """Return a stage of the file; None if it does not have the trainer's form."""
    try:
        tokens_seen, story = record["tokens_seen"], record["stories"][0]["story"]
    except (LookupError, TypeError):
        return None
    if not isinstance(tokens_seen, int) or not isinstance(story, str):
        return None
    return Stage(tokens_seen, loss_of(record), story[:CHARACTERS_MAX])


def loss_of(record: dict[str, object]) -> float | None:
    """Return the loss in a record of a stage; None if it is not a finite number."""
    for name in ("validation_loss", "loss"):
        loss = record.get(name)
        if isinstance(loss, (int, float)) and math.isfinite(loss):
            return float(loss)
    return None


def snapshots_of(model: Path) -> Path | None:
    """Return the folder of a model's snapshots, in the model's folder or its run's, else None."""
    if (model / SNAPSHOTS).is_dir():
        return model / SNAPSHOTS
    for parent in model.resolve().parents[:LEVELS]:
        if (parent / RUN).is_file():
            return parent / SNAPSHOTS
    return None


def read_snapshots(folder: Path) -> list[Snapshot]:
    """Return the complete snapshots in a folder, the earliest first. They are read from the disk
    each time, since a training run adds to them."""
    snapshots = []
    for path in folder.glob("step-*"):
        match, stage = STEP.fullmatch(path.name), stage_of(read_json(path / "snapshot.json"))
        if match is not None and stage is not None:
            snapshots.append(Snapshot(int(match[1]), *stage, path))
    return sorted(snapshots)[:STAGES_MAX]
