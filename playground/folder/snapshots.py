"""Find the snapshots of a run: folders `step-NUMBER` with a model and snapshot.json.

The list is read from the disk each time, since a training run adds to it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from playground.folder.history import STAGES_MAX, stage_of
from playground.folder.json_file import read_json

FOLDER, FILE = "snapshots", "snapshot.json"
RUN = "run.json"  # in the folder of a run
LEVELS = 3  # of folders from a model up to its run's, at most
STEP = re.compile(r"step-(\d{1,9})")


class Snapshot(NamedTuple):
    """A snapshot: its step, tokens seen, loss in nats per token (of validation, if measured at that
    step), story for the run's first prompt, and folder."""

    step: int
    tokens_seen: int
    loss: float | None
    story: str
    folder: Path


def snapshots_of(model: Path) -> Path | None:
    """Return the folder of a model's snapshots, in the model's folder or its run's, else None."""
    if (model / FOLDER).is_dir():
        return model / FOLDER
    for parent in model.resolve().parents[:LEVELS]:
        if (parent / RUN).is_file():
            return parent / FOLDER
    return None


def read_snapshots(folder: Path) -> list[Snapshot]:
    """Return the complete snapshots in a folder, the earliest first."""
    snapshots = []
    for path in folder.glob("step-*"):
        match, stage = STEP.fullmatch(path.name), stage_of(read_json(path / FILE))
        if match is not None and stage is not None:
            snapshots.append(Snapshot(int(match[1]), *stage, path))
    return sorted(snapshots)[:STAGES_MAX]
