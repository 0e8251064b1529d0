"""Where a model computes: the choice of the device, and what to say about it.

trainer/model/device.py asks the same of a run; neither half imports the other.
"""

from __future__ import annotations

import os
import re
import shutil
import sys

import numpy as np
import torch

CUDA_WHEELS = "https://download.pytorch.org/whl"


def choose_device(device: str) -> torch.device:
    """The device of that name; "auto" is a GPU when there is one that can be used.

    Raises:
        ValueError: this machine has no such device, or its card cannot be used.
    """
    gpus = torch.cuda.device_count() if usable_gpu() else 0
    if device == "auto":
        device = "cuda" if gpus else "cpu"
    try:
        found = torch.device(device)
    except RuntimeError:
        found = torch.device("meta")
    if found.type == "cuda" and (found.index or 0) < gpus:
        return torch.device("cuda", found.index or 0)
    if found.type == "cuda" and (reason := why_not_used()):
        raise ValueError(f"the device {device!r} cannot be used: {reason}.")
    if found.type != "cpu":
        raise ValueError(
            f"there is no device {device!r} on this machine: use auto"
            f"{', cuda' if gpus else ''} or cpu."
        )
    return found


def usable_gpu() -> bool:
    """Whether there is a GPU that this process can compute on.

    Not on a Space with ZeroGPU: `spaces` answers there as if there were a card, but one exists only
    inside a function marked @spaces.GPU, in a process forked for each call, and the engine is a
    thread with a cache that lives on. Such a Space writes on its CPU.

    Not with a card that is too old for this PyTorch, where the first kernel would fail.
    """
    if "SPACES_ZERO_GPU" in os.environ or not torch.cuda.is_available():
        return False
    return torch.cuda.get_device_capability(0) >= lowest_capability()


def lowest_capability() -> tuple[int, int]:
    """The lowest compute capability that this PyTorch has kernels for."""
    numbers = [re.fullmatch(r"sm_(\d+)(\d)[af]?", name) for name in torch.cuda.get_arch_list()]
    return min((int(one[1]), int(one[2])) for one in numbers if one) if any(numbers) else (0, 0)


def why_not_used() -> str | None:
    """Why a card that is there is not used, and the way out; None where there is nothing to say."""
    if "SPACES_ZERO_GPU" in os.environ or usable_gpu():
        return None
    if torch.cuda.is_available():
        return (
            f"{torch.cuda.get_device_name(0)} is too old for this PyTorch: pip install torch "
            f"--index-url {CUDA_WHEELS}/cu126 still has kernels for it"
        )
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    wheels = "cu130" if sys.platform == "win32" else "cu126"
    driver = "" if torch.version.cuda is None else "update the NVIDIA driver, or "
    return (
        "there is an NVIDIA card but this PyTorch cannot reach it: "
        f"{driver}pip install torch --index-url {CUDA_WHEELS}/{wheels}"
    )


def introduction(device: torch.device) -> str:
    """One line on where stories are written, and why not on a card that is there."""
    if device.type == "cuda":
        return f"writing on {torch.cuda.get_device_name(device)}"
    reason = why_not_used()
    return "writing on the CPU" + (f" ({reason})" if reason else "")


def send(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array on the device. From pinned memory a copy to a GPU does not wait for it."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
