"""Weights, moments and step on disk: engine-neutral, atomic, verified when read.

    checkpoints/step-00000200/weights.safetensors
                              moments.safetensors
                              checkpoint.json      step, validation loss if known, settings,
                                                   corpus, SHA-256 of the two files and of itself

A checkpoint is written beside its path, synced and renamed; then the oldest is removed. The one
with the lowest validation loss stays. A truncated or altered one is passed over with a sentence,
and the one before it is read.
"""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

import trainer
from trainer.storage import checksummed_json
from trainer.storage.atomic import atomic_directory

FORMAT = 1
TENSORS = ("weights", "moments")
DAMAGED = (OSError, KeyError, TypeError, ValueError)  # what reading checkpoint.json may raise


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` updates.

    Attributes:
        weights: the decoder's fp32 parameters by name.
        moments: AdamW's two moments of each, by `<name>.exp_avg` and `<name>.exp_avg_sq`.
        identity: the settings and the corpus that the result depends on.
        validation_loss: nats per token, if the run was validated at this step.
    """

    step: int
    weights: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    identity: dict[str, Any]
    validation_loss: float | None = None


def save(folder: Path, checkpoint: Checkpoint, keep: int, keep_step: int | None = None) -> Path:
    """Write a checkpoint under `folder` and drop all but the newest `keep`, the best, and that of
    `keep_step`."""
    final = path_of(folder, checkpoint.step)
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
            "step": checkpoint.step,
            "validation_loss": checkpoint.validation_loss,
            "identity": checkpoint.identity,
            "files": sums,
        }
        (partial / "checkpoint.json").write_text(checksummed_json.dumps(about), encoding="utf-8")
    losses = validation_losses(folder)
    lowest = min(losses, key=losses.__getitem__, default=None)
    for old in sorted(folder.glob("step-????????"))[:-keep]:
        if old not in (path_of(folder, step) for step in (lowest, keep_step) if step is not None):
            shutil.rmtree(old)
    return final


def path_of(folder: Path, step: int) -> Path:
    """Where the checkpoint of a step is."""
    return folder / f"step-{step:08d}"


def newest(folder: Path, until: int | None = None) -> Checkpoint | None:
    """The newest checkpoint that is intact, of a step up to `until`; or None."""
    found = sorted(folder.glob("step-????????"), reverse=True)
    return first_intact(one for one in found if until is None or one <= path_of(folder, until))


def drop_after(folder: Path, step: int) -> None:
    """Remove the checkpoints of later steps."""
    for later in folder.glob("step-????????"):
        if later > path_of(folder, step):
            shutil.rmtree(later)


def best(folder: Path) -> Checkpoint | None:
    """The checkpoint with the lowest validation loss that is intact, or None."""
    losses = validation_losses(folder)
    return first_intact(path_of(folder, step) for step in sorted(losses, key=losses.__getitem__))


def first_intact(candidates: Iterable[Path]) -> Checkpoint | None:
    """The first checkpoint that is neither truncated nor altered; a sentence names the others."""
    for candidate in candidates:
        try:
            return read(candidate)
        except (*DAMAGED, SafetensorError) as error:
            print(
                f"the checkpoint {candidate} is damaged ({error}): it is passed over",
                file=sys.stderr,
            )
    return None


def validation_losses(folder: Path) -> dict[int, float]:
    """The validation loss of each checkpoint that has one, by step; weights are not read."""
    losses = {}
    for candidate in sorted(folder.glob("step-????????")):
        with contextlib.suppress(*DAMAGED):
            about = checksummed_json.loads(
                (candidate / "checkpoint.json").read_text(encoding="utf-8")
            )
            losses[int(about["step"])] = float(about["validation_loss"])
    return losses


def read(path: Path) -> Checkpoint:
    """The checkpoint in `path`.

    Raises:
        ValueError: its format is not known or a checksum does not match.
    """
    about = checksummed_json.loads((path / "checkpoint.json").read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']} is not {FORMAT}")
    tensors = {}
    for name in TENSORS:
        file = path / f"{name}.safetensors"
        if sha256(file) != about["files"][name]:
            raise ValueError(f"the checksum of {file.name} does not match")
        tensors[name] = load_file(file)
    return Checkpoint(
        step=about["step"],
        identity=about["identity"],
        validation_loss=about.get("validation_loss"),
        **tensors,
    )


def sha256(file: Path) -> str:
    """The file's SHA-256, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
