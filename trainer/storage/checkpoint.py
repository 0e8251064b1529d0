"""Checkpoints: weights, moments and step on disk, engine-neutral, atomic, verified when read.

    checkpoints/step-00000200/weights.safetensors
                              moments.safetensors
                              checkpoint.json      step, validation loss if known, settings,
                                                   corpus, the run's id (run_folder.py), SHA-256
                                                   of the two files and of itself

A checkpoint is written beside its path, synced and renamed; then the oldest is removed, except the
one with the lowest validation loss. Truncated or altered checkpoints are skipped with a warning. A
checkpoint that cannot be read now (permissions, an unmounted disk) may be intact, so it stops the
run. Checkpoints of other runs are never touched.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import trainer
from trainer.output.console import to_stderr
from trainer.storage import checksummed_json
from trainer.storage.atomic import atomic_directory, is_writable

FORMAT = 1
TENSORS = ("weights", "moments")
ABOUT = "checkpoint.json"
# Errors of reading a damaged checkpoint; of the disk's errors only those of missing parts.
DAMAGED = (FileNotFoundError, NotADirectoryError, KeyError, TypeError, ValueError, SafetensorError)


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` updates.

    Attributes:
        weights: the decoder's fp32 parameters by name.
        moments: the optimizer's moments, such as `<name>.exp_avg` and `<name>.exp_avg_sq`.
        identity: the settings and the corpus that determine the result.
        validation_loss: nats per token, if the run was validated at this step.
        run: the id of its run; empty in checkpoints of older versions.
    """

    step: int
    weights: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    identity: dict[str, Any]
    validation_loss: float | None = None
    run: str = ""


def save(folder: Path, checkpoint: Checkpoint, keep: int, keep_step: int | None = None) -> Path:
    """Write a checkpoint under `folder`, and remove all others of its run but the newest `keep`,
    the best, and that of `keep_step`. Raises ValueError if another run has a checkpoint of this
    step there."""
    final = path_of(folder, checkpoint.step)
    if not belongs(final, checkpoint.run):
        raise ValueError(
            f"the checkpoint {final} of another run would be overwritten: move it elsewhere, and "
            "give each run a folder of its own with --run.dir"
        )
    with atomic_directory(final) as partial:
        sums: dict[str, str] = {}
        for name in TENSORS:
            file = partial / f"{name}.safetensors"
            tensors = {
                key: tensor.contiguous().cpu() for key, tensor in getattr(checkpoint, name).items()
            }
            save_file(tensors, file)
            sums[name] = sha256(file)
        about = {
            "format": FORMAT,
            "inkling": trainer.__version__,
            "run": checkpoint.run,
            "step": checkpoint.step,
            "validation_loss": checkpoint.validation_loss,
            "identity": checkpoint.identity,
            "files": sums,
        }
        (partial / ABOUT).write_text(checksummed_json.dumps(about), encoding="utf-8")
    prune(folder, checkpoint.run, checkpoint.step, keep, keep_step)
    return final


def prune(folder: Path, run: str, step: int, keep: int, keep_step: int | None) -> None:
    """Remove old checkpoints of a run after that of `step` was written: all but the newest `keep`,
    the one with the lowest validation loss, and that of `keep_step`.

    Later steps are removed too: the run resumed before them, so they are damaged, or belong to a
    `wsd` run that was extended.
    """
    own = [path for path in paths(folder) if belongs(path, run)]
    losses = {at: loss for at, loss in validation_losses(folder, run).items() if at <= step}
    lowest = min(losses, key=losses.__getitem__, default=None)
    until = [step_of(path) for path in own if step_of(path) <= step]
    kept = {*until[-keep:], lowest, keep_step}
    for old in own:
        if step_of(old) not in kept or step_of(old) > step:
            try:
                retire(old)
            except OSError as error:
                to_stderr(
                    f"warning: the old checkpoint {old} cannot be removed ({error.strerror}): "
                    "remove it by hand when the disk fills up"
                )


def retire(path: Path) -> None:
    """Remove a checkpoint atomically, by renaming it first. Raises OSError if it cannot be removed;
    then it is still intact."""
    if not is_writable(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    gone = path.with_name(f"{path.name}.partial")
    if gone.exists():
        shutil.rmtree(gone)
    path.rename(gone)
    shutil.rmtree(gone)


def path_of(folder: Path, step: int) -> Path:
    """Return the path of the checkpoint of a step."""
    return folder / f"step-{step:08d}"


def step_of(path: Path) -> int:
    """Return the step of the checkpoint in `path`."""
    return int(path.name.removeprefix("step-"))


def paths(folder: Path) -> list[Path]:
    """Return the checkpoints in a folder, of all runs, sorted by step. Raises OSError if the folder
    exists but cannot be read; `Path.glob` would return nothing."""
    try:
        names = os.listdir(folder)
    except FileNotFoundError:
        return []
    return sorted(folder / name for name in names if re.fullmatch(r"step-\d{8}", name))


def about(path: Path) -> dict[str, Any]:
    """Return the content of checkpoint.json. Raises ValueError if it was altered, OSError if it
    cannot be read."""
    return checksummed_json.loads((path / ABOUT).read_text(encoding="utf-8"))


def belongs(path: Path, run: str) -> bool:
    """Return whether a checkpoint may belong to a run: it is missing or unreadable, or names that
    run or no run."""
    try:
        owner = str(about(path).get("run", ""))
    except (*DAMAGED, OSError):
        return True
    return not run or not owner or owner == run


def newest_run(folder: Path) -> str:
    """Return the run of the newest checkpoint that names one; "" if none does."""
    for path in reversed(paths(folder)):
        with contextlib.suppress(*DAMAGED, OSError):
            if owner := str(about(path).get("run", "")):
                return owner
    return ""


def newest(folder: Path, until: int | None = None, run: str = "") -> Checkpoint | None:
    """Return the newest intact checkpoint of a run, up to step `until`; None if the folder has no
    checkpoint. Raises ValueError if none is usable, or a newer one cannot be read."""
    every = paths(folder)
    own = [path for path in every if belongs(path, run)]
    usable = [path for path in own if until is None or step_of(path) <= until]
    intact = first_intact(reversed(usable))
    if intact is not None or not every:
        return intact
    if not own:
        cause = "they belong to another run"
    elif not usable:
        cause = f"they are of steps after {until:,}"
    else:
        cause = "they are damaged"
    fresh = ", or --run.fresh true to remove them and start over" if own else ""
    raise ValueError(
        f"no checkpoint in {folder} can be used ({cause}): give another --run.dir, or move them "
        f"elsewhere{fresh}"
    )


def best(folder: Path, run: str = "") -> Checkpoint | None:
    """Return the intact checkpoint with the lowest validation loss, or None."""
    losses = validation_losses(folder, run)
    return first_intact(path_of(folder, step) for step in sorted(losses, key=losses.__getitem__))


def first_intact(candidates: Iterable[Path]) -> Checkpoint | None:
    """Return the first intact checkpoint; warn about damaged ones. Raises ValueError if one cannot
    be read and may be intact."""
    for candidate in candidates:
        try:
            return read(candidate)
        except DAMAGED as error:
            to_stderr(f"the checkpoint {candidate} is damaged ({error}): it is skipped")
        except OSError as error:
            raise ValueError(unreadable(candidate, error)) from None
    return None


def unreadable(path: Path, error: OSError) -> str:
    """Return the message for a checkpoint that cannot be read and may be intact."""
    if isinstance(error, PermissionError):
        return (
            f"no permission to read the checkpoint {path} ({error.strerror}): ask its owner for it "
            f"(chmod -R a+rX {path.parent}); nothing was changed"
        )
    return (
        f"the checkpoint {path} cannot be read now ({error.strerror or error}): mount its disk and "
        "update Inkling, or move the checkpoint elsewhere to resume from the one before; nothing "
        "was changed"
    )


def validation_losses(folder: Path, run: str = "") -> dict[int, float]:
    """Return the validation losses of a run's checkpoints by step, without reading weights."""
    losses = {}
    for candidate in paths(folder):
        with contextlib.suppress(*DAMAGED, OSError):
            if belongs(candidate, run):
                info = about(candidate)
                losses[int(info["step"])] = float(info["validation_loss"])
    return losses


def read(path: Path) -> Checkpoint:
    """Read a checkpoint. Raises ValueError if a checksum does not match, OSError if it cannot be
    read now or by this version."""
    info = about(path)
    if info["format"] != FORMAT:
        raise OSError(
            f"it has format {info['format']} of Inkling {info['inkling']}, and this is "
            f"{trainer.__version__}, which reads {FORMAT}"
        )
    tensors = {}
    for name in TENSORS:
        file = path / f"{name}.safetensors"
        if sha256(file) != info["files"][name]:
            raise ValueError(f"the checksum of {file.name} does not match")
        tensors[name] = load_file(file)
    return Checkpoint(
        step=info["step"],
        identity=info["identity"],
        validation_loss=info.get("validation_loss"),
        run=info.get("run", ""),
        **tensors,
    )


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as content:
        return checksummed_json.sha256(content)
