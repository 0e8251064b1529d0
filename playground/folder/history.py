"""Stories that a model wrote while it was trained, from the history.json of its export."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from playground.folder.json_file import read_json

FILE = "history.json"
STAGES_MAX, CHARACTERS_MAX = 64, 4_000  # of a file, which may come from anybody


class Stage(NamedTuple):
    """A stage of training: tokens seen, loss in nats per token (of validation, if measured), and
    the story for the first prompt."""

    tokens_seen: int
    loss: float | None
    story: str


def read_history(folder: Path) -> tuple[Stage, ...]:
    """Return the stages of a model folder in order; () without a readable file."""
    stages = read_json(folder / FILE).get("stages")
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
