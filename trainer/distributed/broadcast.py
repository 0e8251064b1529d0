"""Send the main process's settings and checkpoint to every process.

So only the first machine reads its run folder, and the machines need not share a disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch import distributed

from trainer.distributed.runtime import Runtime
from trainer.settings.config import Config
from trainer.storage.checkpoint import TENSORS, Checkpoint
from trainer.storage.resume import MODELS

Result = TypeVar("Result")


def from_main(value: Any, device: torch.device) -> Any:
    """Return the main process's value; all processes must call."""
    if distributed.is_initialized():
        values = [value]
        distributed.broadcast_object_list(values, 0, device=device)
        (value,) = values
    return value


def do_on_main(work: Callable[[], Result], runtime: Runtime) -> Result | None:
    """Return the result of `work` on the main process, None on the others; all processes must call.

    Raises:
        ValueError: on all processes, if `work` raises it.
        OSError: on the main process; the others get its text as a ValueError.
    """
    result, error = None, None
    if runtime.is_main:
        try:
            result = work()
        except (ValueError, OSError) as problem:
            error = problem
    cause = from_main(str(error) if error else "", runtime.device)
    if cause:
        raise error or ValueError(cause)
    return result


def checkpoint_from_main(checkpoint: Checkpoint | None, device: torch.device) -> Checkpoint | None:
    """Return the main process's checkpoint, its tensors in memory; all processes must call."""
    if not distributed.is_initialized():
        return checkpoint
    shapes = {
        kind: {name: tensor.shape for name, tensor in getattr(checkpoint, kind).items()}
        for kind in (TENSORS if checkpoint else ())
    }
    about = from_main(checkpoint and (checkpoint.step, checkpoint.identity, shapes), device)
    if about is None:
        return None
    step, identity, shapes = about
    tensors: dict[str, dict[str, torch.Tensor]] = {kind: {} for kind in TENSORS}
    for kind, name, shape in ((k, n, shape) for k in TENSORS for n, shape in shapes[k].items()):
        tensor = torch.empty(shape) if checkpoint is None else getattr(checkpoint, kind)[name]
        tensor = tensor.to(device)
        distributed.broadcast(tensor, 0)
        tensors[kind][name] = tensor.cpu()
    return Checkpoint(step, tensors["weights"], tensors["moments"], identity)


def agree(config: Config, identity: dict[str, Any], runtime: Runtime) -> None:
    """Check that all processes have the same settings and stories. Raises ValueError if this
    process, or another, differs from the main one."""
    mine = config.to_dict()
    mine["run"]["dir"] = ""  # each machine may have its own folder
    mine["corpus"] = identity["corpus"]
    for key in MODELS:
        mine["model"][key] = identity.get(key)
    theirs = from_main(mine, runtime.device)
    differences = [
        f"{section}.{key} is {mine[section].get(key)} and {value} there"
        for section, keys in theirs.items()
        for key, value in keys.items()
        if mine[section].get(key) != value
    ]
    if runtime.any(bool(differences)):
        differs = "; ".join(differences) or "the other's error names them"
        raise ValueError(
            f"a process of the run has other settings or stories than the main one ({differs}):"
            " give the same command on every machine"
        )
