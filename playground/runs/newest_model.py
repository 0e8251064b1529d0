"""The newest model of a run as a folder that opens: its export, or one of its newest checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from playground.runs import folder
from playground.runs.errors import Conflict, Refused
from playground.runs.status import FINISHED, status_of
from playground.runs.tasks import Task


def model_folder(run: Path, task: Task) -> tuple[Path, int]:
    """The folder of the newest model of a run and its step: the export of a finished run, else an
    export of the newest checkpoint, which is made if it is not there.

    Raises:
        Refused: there is no model yet, or the export of it failed.
    """
    status = status_of(run)
    kept = folder.steps(run / folder.CHECKPOINTS)
    export = run / folder.EXPORT
    training = folder.read_json(export / "training.json")
    step = training.get("steps")
    is_exported = (export / "config.json").is_file() and not export.is_symlink()
    newest = folder.step_of(kept[-1]) if kept else -1
    if is_exported and (status.state == FINISHED or (isinstance(step, int) and step >= newest)):
        return export, step if isinstance(step, int) else max(newest, 0)
    if not kept:
        raise Conflict(f"{run.name} has not saved a model yet: wait for its first checkpoint.")
    place = folder.own(run) / "model"
    found = made(place)
    if found is None or folder.step_of(found) < newest:
        partial = place / f"step-{newest:08d}"
        task.call(["-m", "trainer.export", "model", str(run), str(partial)])
        found = made(place)
        if found is None:
            raise Refused("the model was not written: ask again.")
        for old in folder.steps(place)[:-2]:  # the last one may be open
            shutil.rmtree(old, ignore_errors=True)
    return found, folder.step_of(found)


def made(place: Path) -> Path | None:
    """The newest export of a checkpoint that is whole."""
    found = [path for path in folder.steps(place) if (path / "training.json").is_file()]
    return found[-1] if found else None
