"""What a model wrote while it learned: the texts of its snapshots in one small file.

    history.json  format 1; stages: step, tokens_seen, loss, validation_loss, stories

Every stage has a story for each of `run.sample_prompts`, all with the same draws. A run that
started from an export continues that one's history, and counts the tokens from its beginning.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.export.model_card import started_from

FILE = "history.json"
FORMAT = 1


def stages(snapshots: Path, init_from: str) -> list[dict[str, Any]]:
    """The stages of a run in their order, after those of the export that it started from.

    `snapshots` is the run's folder of them, and `init_from` the setting `model.init_from`: its
    stages are left out where that folder has no history or does not say how many tokens it read.
    """
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(snapshots.glob("step-????????/snapshot.json"))
    ]
    own = [
        {name: value for name, value in record.items() if name != "format"}  # that is the file's
        for record in records
        if record.get("stories")
    ]
    before = (started_from(init_from) or {}).get("tokens_seen")
    if before is None:
        return own
    return read(Path(init_from).expanduser()) + [
        stage | {"tokens_seen": stage["tokens_seen"] + before} for stage in own
    ]


def read(export: Path) -> list[dict[str, Any]]:
    """The stages that an export knows of; none where it has no history that can be read."""
    try:
        found = json.loads((export / FILE).read_text(encoding="utf-8"))
        return list(found["stages"]) if found["format"] == FORMAT else []
    except (OSError, ValueError, LookupError, TypeError):
        return []


def write(export: Path, found: list[dict[str, Any]]) -> None:
    """Write the stages into an export's folder."""
    content = {"format": FORMAT, "stages": found}
    (export / FILE).write_text(json.dumps(content, indent=1), encoding="utf-8")
