"""What an export has besides the model: its evaluation, curve, snapshots, history and model card.

The model is in its folder before any of this begins, and none of it may cost the model: what fails
is left out with one warning. The card is written last, so an export with a card is complete; the
same command makes good what an interrupted run lacks.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from trainer.export import history
from trainer.export.model_card import CARD, write_card, write_training
from trainer.metrics.curve import plot
from trainer.output.console import best_effort
from trainer.storage.atomic import atomic_directory, atomic_file

CURVE, SNAPSHOTS = "curve.png", "snapshots"


def is_complete(folder: Path) -> bool:
    """Whether an export has all that its run could give it."""
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
        training: the content of training.json, with what the evaluation found.
        run: the folder of the run, with metrics.jsonl and snapshots.
        init_from: the setting model.init_from, for the history.
        say: is given a warning for each part that cannot be written.
    """
    kept = run / SNAPSHOTS
    with best_effort("the curve", say):
        with atomic_file(run / CURVE) as partial:
            plot(run, partial)
        shutil.copyfile(run / CURVE, folder / CURVE)
    with best_effort("the snapshots", say):
        take_snapshots(folder, kept)
    with best_effort("the history", say):
        if stages := history.stages(kept, init_from):
            history.write(folder, stages)
    with best_effort("training.json's evaluation", say):
        write_training(folder, training)
    with best_effort("the model card", say):
        write_card(folder, training)


def take_snapshots(folder: Path, snapshots: Path) -> None:
    """Take a run's snapshots along, if it has some: no more disk where it has hard links."""
    if not snapshots.is_dir():
        return
    unfinished = shutil.ignore_patterns("*.partial", "*.old")
    with atomic_directory(folder / SNAPSHOTS) as partial:
        shutil.copytree(
            snapshots, partial, ignore=unfinished, copy_function=link, dirs_exist_ok=True
        )


def link(source: str, target: str) -> None:
    """One file under two names, or a copy where the disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
