"""The newest model of a run as a model folder: the run's export, or one of a checkpoint."""

from __future__ import annotations

import shutil
from pathlib import Path

from playground.runs import folder
from playground.runs.errors import Conflict, Refused
from playground.runs.status import FINISHED, status_of
from playground.runs.tasks import Task


def model_folder(run: Path, task: Task) -> tuple[Path, int]:
    """Return the folder and the step of a run's newest model: the export of a finished run, else an
    export of the newest checkpoint, which is made if necessary.

    Raises:
        Refused: the run has no model yet, or its export failed.
    """
    status = status_of(run)
    checkpoints = folder.steps(run / folder.CHECKPOINTS)
    export = run / folder.EXPORT
    training = folder.read_json(export / "training.json")
    step = training.get("steps")
    is_exported = (export / "config.json").is_file() and not export.is_symlink()
    newest = folder.step_of(checkpoints[-1]) if checkpoints else -1
    if is_exported and (status.state == FINISHED or (isinstance(step, int) and step >= newest)):
        return export, step if isinstance(step, int) else max(newest, 0)
    if not checkpoints:
        raise Conflict(f"{run.name} has not saved a model yet: wait for its first checkpoint.")
    exports = folder.own(run) / "model"
    model = newest_export(exports)
    if model is None or folder.step_of(model) < newest:
        target = exports / f"step-{newest:08d}"
        task.call(["-m", "trainer.export", "model", str(run), str(target)])
        model = newest_export(exports)
        if model is None:
            raise Refused("the model was not exported: try again.")
        for old in folder.steps(exports)[:-2]:  # the previous export may be open on the page
            shutil.rmtree(old, ignore_errors=True)
    return model, folder.step_of(model)


def newest_export(exports: Path) -> Path | None:
    """Return the newest complete export of a checkpoint, which `training.json` marks."""
    complete = [path for path in folder.steps(exports) if (path / "training.json").is_file()]
    return complete[-1] if complete else None
