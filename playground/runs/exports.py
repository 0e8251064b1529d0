"""A run's newest model: as a model folder, exported to files for download, and evaluated, by the
trainer's commands."""

from __future__ import annotations

import os
import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

from playground.runs import folder
from playground.runs.errors import Conflict, Missing, Refused
from playground.runs.status import FINISHED, perplexity_of, status_of
from playground.runs.tasks import Task, last_object

FORMS = {"safetensors": ".zip", "gguf": ".gguf"}
TYPES = ("f16", "q8_0")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\.(?:zip|gguf)")
LEFT_OUT = ("snapshots",)  # of an export, in the zip file


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


def checked_form(form: Any, kind: Any) -> tuple[str, str]:
    """Return a valid form of export and the number type of its weights; else raise Refused."""
    if form not in FORMS:
        raise Refused(f"form must be one of {', '.join(FORMS)}.")
    if kind not in TYPES:
        raise Refused(f"type must be one of {', '.join(TYPES)}.")
    return form, kind


def export(run: Path, form: str, kind: str, task: Task) -> dict[str, Any]:
    """Export a run's newest model to a file, and return its name and size."""
    model, step = model_folder(run, task)
    target = folder.own(run) / "files"
    target.mkdir(exist_ok=True)
    name = f"{run.name}-{step}" + (f"-{kind}" if form == "gguf" else "") + FORMS[form]
    partial = target / f"{name}.partial"
    try:
        if form == "gguf":
            task.call(["-m", "trainer.export", "gguf", str(model), str(partial), "--type", kind])
        else:
            pack(model, partial)
        os.replace(partial, target / name)
    finally:
        partial.unlink(missing_ok=True)
    return {"file": name, "bytes": (target / name).stat().st_size}


def pack(model: Path, file: Path) -> None:
    """Write a model folder to a zip file, uncompressed: compression does not shrink weights."""
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for path in sorted(model.iterdir()):
            if path.is_file() and not path.is_symlink() and path.name not in LEFT_OUT:
                archive.write(path, path.name)


def files(run: Path) -> list[dict[str, Any]]:
    """Return the exported files of a run."""
    return [
        {"name": name, "bytes": size, "form": "gguf" if name.endswith(".gguf") else "safetensors"}
        for name, size in folder.sizes(run / folder.OWN / "files")
        if FILE.fullmatch(name)
    ]


def file(run: Path, name: str) -> Path:
    """Return the path of an exported file; Missing if it does not exist."""
    if name not in [entry["name"] for entry in files(run)]:
        raise Missing(f"there is no file {name[:64]!r} of {run.name}: export it first.")
    return run / folder.OWN / "files" / name


def evaluate(run: Path, source: str, task: Task) -> dict[str, Any]:
    """Evaluate a run's newest model on stories, by default the run's held-out ones, and keep the
    result for the list of runs."""
    status = status_of(run)
    source = source or str(status.about.get("store") or "")
    if not source:
        raise Refused("name the stories to evaluate on: this run does not record its own.")
    model, step = model_folder(run, task)
    words = ["-m", "trainer.evaluate", str(model), "--stories", source, "--json"]
    evaluation = last_object(task.call(words))
    folder.write_json(folder.own(run) / "evaluation.json", {**evaluation, "step": step})
    return {
        "perplexity": perplexity_of(evaluation),
        "bits_per_byte": evaluation.get("bits_per_byte"),
        "step": step,
    }
