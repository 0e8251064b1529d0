"""What the main process knows, on every process: its settings and the checkpoint that it found.

So only the first machine's run folder is read, and the machines need not share a disk.
"""

from __future__ import annotations

import json
from typing import Any

import torch
from torch import distributed

from trainer.checkpoint import TENSORS, Checkpoint


def from_main(value: Any, device: torch.device) -> Any:
    """The main process's value (anything that JSON holds); all processes must call."""
    if not distributed.is_initialized():
        return value
    text = json.dumps(value).encode()
    size = torch.tensor(len(text), device=device)
    distributed.broadcast(size, 0)
    letters = torch.zeros(int(size), dtype=torch.uint8)
    if distributed.get_rank() == 0:
        letters = torch.frombuffer(bytearray(text), dtype=torch.uint8)
    letters = letters.to(device)
    distributed.broadcast(letters, 0)
    return json.loads(bytes(letters.tolist()))


def checkpoint_from_main(found: Checkpoint | None, device: torch.device) -> Checkpoint | None:
    """The main process's checkpoint, its tensors in memory; all processes must call."""
    if not distributed.is_initialized():
        return found
    about = from_main(
        found
        and {
            "step": found.step,
            "identity": found.identity,
            "shapes": {
                kind: {name: list(tensor.shape) for name, tensor in getattr(found, kind).items()}
                for kind in TENSORS
            },
        },
        device,
    )
    if about is None:
        return None
    tensors: dict[str, dict[str, torch.Tensor]] = {kind: {} for kind in TENSORS}
    for kind in TENSORS:
        for name, shape in about["shapes"][kind].items():
            tensor = torch.empty(shape)
            if found is not None:
                tensor = getattr(found, kind)[name]
            tensor = tensor.to(device)
            distributed.broadcast(tensor, 0)
            tensors[kind][name] = tensor.cpu()
    return Checkpoint(about["step"], tensors["weights"], tensors["moments"], about["identity"])
