"""Complete an export: add evaluation, curve, snapshots, history and model card to the model.

    history.json  format 1; stages: step, tokens_seen, loss, validation_loss, stories

Every stage of the history is a snapshot, with a story for each of `run.sample_prompts`, all with
the same draws. A run that started from an export continues the export's history and its count of
tokens.

The model is already in its folder, and no error here may lose it: a part that fails is left out
with a warning. The card is written last, so an export with a card is complete; the same command
adds what an interrupted run lacks.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.export.model_card import CARD, started_from, write_card, write_training
from trainer.metrics.log import plot
from trainer.output.console import best_effort
from trainer.storage.atomic import atomic_directory, atomic_file

CURVE, HISTORY, SNAPSHOTS = "curve.png", "history.json", "snapshots"
HISTORY_FORMAT = 1


def is_complete(folder: Path) -> bool:
    """Return whether an export has all its parts."""
    return (folder / CARD).is_file()


def complete(
    folder: Path,
    training: dict[str, Any],
    run: Path,
    init_from: str,
    say: Callable[[str], None],
) -> None:
    """Complete the export in `folder`.

    Args:
        training: the content of training.json, with the evaluation.
        run: the folder of the run, with metrics.jsonl and snapshots.
        init_from: the setting model.init_from, for the history.
        say: receives a warning for each part that cannot be written.
    """
    snapshots = run / SNAPSHOTS
    with best_effort("the curve", say):
        with atomic_file(run / CURVE) as partial:
            plot(run, partial)
        shutil.copyfile(run / CURVE, folder / CURVE)
    with best_effort("the snapshots", say):
        take_snapshots(folder, snapshots)
    with best_effort("the history", say):
        if stages := history_stages(snapshots, init_from):
            content = {"format": HISTORY_FORMAT, "stages": stages}
            (folder / HISTORY).write_text(json.dumps(content, indent=1), encoding="utf-8")
    with best_effort("training.json's evaluation", say):
        write_training(folder, training)
    with best_effort("the model card", say):
        write_card(folder, training)


def take_snapshots(folder: Path, snapshots: Path) -> None:
    """Add a run's snapshots to its export, if any, as hard links where the disk has them."""
    if not snapshots.is_dir():
        return
    unfinished = shutil.ignore_patterns("*.partial", "*.old")
    with atomic_directory(folder / SNAPSHOTS) as partial:
        shutil.copytree(
            snapshots, partial, ignore=unfinished, copy_function=link, dirs_exist_ok=True
        )


def link(source: str, target: str) -> None:
    """Link a file under a second name, or copy it where the disk has no links."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def history_stages(snapshots: Path, init_from: str) -> list[dict[str, Any]]:
    """Return the stages of a run in their order, after those of the export that it started from.

    `snapshots`: their folder in the run; `init_from`: the setting `model.init_from`. Its stages are
    left out if that folder lacks a history or the number of tokens.
    """
    records = [
        json.loads(file.read_text(encoding="utf-8"))
        for file in sorted(snapshots.glob("step-????????/snapshot.json"))
    ]
    own = [
        {
            name: value for name, value in record.items() if name != "format"
        }  # history.json has its own
        for record in records
        if record.get("stories")
    ]
    before = (started_from(init_from) or {}).get("tokens_seen")
    if before is None:
        return own
    return stages_of(Path(init_from).expanduser()) + [
        stage | {"tokens_seen": stage["tokens_seen"] + before} for stage in own
    ]


def stages_of(export: Path) -> list[dict[str, Any]]:
    """Return the stages of an export's history; none if it has no readable history."""
    try:
        history = json.loads((export / HISTORY).read_text(encoding="utf-8"))
        return list(history["stages"]) if history["format"] == HISTORY_FORMAT else []
    except (OSError, ValueError, LookupError, TypeError):
        return []
