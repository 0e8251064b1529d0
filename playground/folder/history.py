"""What a model wrote while it learned, as its export recorded it (history.json)."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from playground.folder.json_file import read_json

FILE = "history.json"
STAGES_MAX = 64  # of a stranger's file, on a page
LETTERS_MAX = 4_000


class Stage(NamedTuple):
    """A story for the first of the prompts, and how many tokens the model had read by then."""

    tokens_seen: int
    story: str


def read_history(folder: Path) -> tuple[Stage, ...]:
    """The stages of a model folder in their order; none where it has no file that can be read."""
    stages = read_json(folder / FILE).get("stages")
    if not isinstance(stages, list):
        return ()
    found = [stage for stage in map(stage_of, stages) if stage is not None]
    return tuple(sorted(found)[:STAGES_MAX])


def stage_of(record: Any) -> Stage | None:
    """One stage of the file; None if it is not what a trainer writes."""
    try:
        tokens_seen, story = record["tokens_seen"], record["stories"][0]["story"]
    except (LookupError, TypeError):
        return None
    if not isinstance(tokens_seen, int) or not isinstance(story, str):
        return None
    return Stage(tokens_seen, story[:LETTERS_MAX])
