"""What a model wrote while it learned, as its export recorded it (history.json)."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

from playground.folder.json_file import read_json

FILE = "history.json"
STAGES_MAX = 64  # of a stranger's file, on a page
LETTERS_MAX = 4_000


class Stage(NamedTuple):
    """One stage of training: tokens read so far, loss in nats per token (of validation, if
    measured), and the story for the first of the prompts."""

    tokens_seen: int
    loss: float | None
    story: str


def read_history(folder: Path) -> tuple[Stage, ...]:
    """Return the stages of a model folder in their order; none where it has no file that can be
    read."""
    stages = read_json(folder / FILE).get("stages")
    if not isinstance(stages, list):
        return ()
    found = [stage for stage in map(stage_of, stages) if stage is not None]
    return tuple(sorted(found, key=lambda stage: stage.tokens_seen)[:STAGES_MAX])


def stage_of(record: Any) -> Stage | None:
    """Return one stage of the file; None if a trainer did not write it."""
    try:
        tokens_seen, story = record["tokens_seen"], record["stories"][0]["story"]
    except (LookupError, TypeError):
        return None
    if not isinstance(tokens_seen, int) or not isinstance(story, str):
        return None
    return Stage(tokens_seen, loss_of(record), story[:LETTERS_MAX])


def loss_of(record: dict[str, object]) -> float | None:
    """Return the loss that a record of a stage holds; None if it is not a number."""
    for name in ("validation_loss", "loss"):
        loss = record.get(name)
        if isinstance(loss, (int, float)) and math.isfinite(loss):
            return float(loss)
    return None
