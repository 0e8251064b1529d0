"""Weights, moments and step on disk: engine-neutral, atomic, verified when read.

    checkpoints/step-00000200/weights.safetensors
                              moments.safetensors
                              checkpoint.json      step, settings, corpus, sha256 of the two files

A checkpoint is written beside its place, synced and renamed, and only then the oldest goes. One
that is torn or altered is passed over with a sentence, and the one before it is read.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

FORMAT = 1
TENSORS = ("weights", "moments")


@dataclass(frozen=True)
class Checkpoint:
    """A run after `step` updates.

    Attributes:
        weights: the decoder's fp32 parameters by name.
        moments: AdamW's two moments of each, by `<name>.exp_avg` and `<name>.exp_avg_sq`.
        identity: the settings and the corpus that the result depends on.
    """

    step: int
    weights: dict[str, torch.Tensor]
    moments: dict[str, torch.Tensor]
    identity: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint, keep: int) -> Path:
    """Write a checkpoint under `folder` and drop all but the newest `keep`."""
    final = folder / f"step-{checkpoint.step:08d}"
    partial = folder / f"{final.name}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        sums: dict[str, str] = {}
        for name in TENSORS:
            file = partial / f"{name}.safetensors"
            tensors = {
                key: tensor.contiguous().cpu() for key, tensor in getattr(checkpoint, name).items()
            }
            save_file(tensors, file)
            sums[name] = sha256(file)
            sync(file)
        about = {
            "format": FORMAT,
            "step": checkpoint.step,
            "identity": checkpoint.identity,
            "sha256": sums,
        }
        (partial / "checkpoint.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
        sync(partial / "checkpoint.json")
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        sync(folder)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    for old in sorted(folder.glob("step-????????"))[:-keep]:
        shutil.rmtree(old)
    return final


def newest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint that is whole, or None."""
    for candidate in sorted(folder.glob("step-????????"), reverse=True):
        try:
            return read(candidate)
        except (
            OSError,
            KeyError,
            TypeError,
            json.JSONDecodeError,
            SafetensorError,
            ValueError,
        ) as error:
            warnings.warn(
                f"the checkpoint {candidate} is damaged ({error}); trying the one before it",
                stacklevel=2,
            )
    return None


def read(path: Path) -> Checkpoint:
    """The checkpoint in `path`.

    Raises:
        ValueError: its format is not known or a checksum does not match.
    """
    about = json.loads((path / "checkpoint.json").read_text(encoding="utf-8"))
    if about["format"] != FORMAT:
        raise ValueError(f"format {about['format']} is not {FORMAT}")
    tensors = {}
    for name in TENSORS:
        file = path / f"{name}.safetensors"
        if sha256(file) != about["sha256"][name]:
            raise ValueError(f"the checksum of {file.name} does not match")
        tensors[name] = load_file(file)
    return Checkpoint(step=about["step"], identity=about["identity"], **tensors)


def differences(saved: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """What changed between two identities, `section.key was A and is now B` each."""
    for section in sorted(saved.keys() | wanted.keys()):
        before, after = saved.get(section, {}), wanted.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                yield f"{section}.{key} was {before.get(key)} and is now {after.get(key)}"


def sha256(file: Path) -> str:
    """The file's SHA-256, in hex."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def sync(path: Path) -> None:
    """Bring a file, or a folder's names, to disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no handle for a folder, and renames are durable there
    handle = os.open(path, os.O_RDWR if path.is_file() else os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
