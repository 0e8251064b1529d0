"""The snapshots that a run took of its model: folders `step-NUMBER` of a model and snapshot.json.

They are looked for anew each time, since a run that trains adds to them.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from playground.folder.history import STAGES_MAX, stage_of
from playground.folder.json_file import read_json

FOLDER, FILE = "snapshots", "snapshot.json"
RUN = "run.json"  # in the folder of a run
ABOVE = 3  # folders between a run's and that of a model of it, at most
STEP = re.compile(r"step-(\d{1,9})")


class Snapshot(NamedTuple):
    """A snapshot: the step after which it was taken, how many tokens the run had read by then, the
    loss in nats per token (of validation, if the run was validated at that step), what it wrote for
    the first of the run's prompts, and where it is."""

    step: int
    tokens_seen: int
    loss: float | None
    story: str
    folder: Path


def snapshots_of(model: Path) -> Path | None:
    """Return the folder of a model's snapshots: in its own, or in that of the run which it belongs
    to; None where it has no such folder."""
    if (model / FOLDER).is_dir():
        return model / FOLDER
    for above in model.resolve().parents[:ABOVE]:
        if (above / RUN).is_file():
            return above / FOLDER
    return None


def read_snapshots(folder: Path) -> list[Snapshot]:
    """Return the snapshots in a folder, the earliest first; those that are not whole are left out."""
    found = []
    for place in folder.glob("step-*"):
        record = read_json(place / FILE)
        name, stage = STEP.fullmatch(place.name), stage_of(record)
        if name is not None and stage is not None:
            found.append(Snapshot(int(name[1]), *stage, place))
    return sorted(found)[:STAGES_MAX]
