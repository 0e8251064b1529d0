"""Choose the device on which a model computes, and explain the choice.

PyTorch is imported only if the driver of an NVIDIA GPU answers or a GPU is requested.
trainer/model/device.py does the same for a run; neither half imports the other.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import re
import shutil
import sys
from functools import cache

from playground.folder.libraries import INSTALL

CUDA_WHEELS = "https://download.pytorch.org/whl"
DRIVERS = ("nvcuda.dll",) if sys.platform == "win32" else ("libcuda.so.1", "libcuda.so")


def choose_device(device: str) -> str:
    """Return the device of that name, "cpu" or "cuda:N"; "auto" is the first usable GPU, else the
    CPU.

    Raises:
        ValueError: the machine does not have the device, or its GPU cannot be used.
    """
    if device == "cpu":
        return device
    is_cuda = re.fullmatch(r"cuda(:\d{1,3})?", device) is not None
    if not is_cuda and device != "auto":
        raise ValueError(no_device(device))
    gpus = usable_gpus()
    if device == "auto":
        return "cuda:0" if gpus else "cpu"
    number = int(device.partition(":")[2] or 0)
    if number < gpus:
        return f"cuda:{number}"
    reason = None if gpus else why_not_used()
    raise ValueError(
        f"the device {device!r} cannot be used: {reason}." if reason else no_device(device)
    )


def no_device(device: str) -> str:
    """Return the message for a device that does not exist."""
    gpu = ", cuda" if usable_gpus() else ""
    return f"there is no device {device!r} on this machine: use auto{gpu} or cpu."


@cache
def driver_gpus() -> int:
    """Return the number of NVIDIA GPUs that the driver reports; 0 without a driver."""
    for name in DRIVERS:
        with contextlib.suppress(OSError, AttributeError):
            driver, count = ctypes.CDLL(name), ctypes.c_int()
            if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0:
                return count.value
            return 0
    return 0


def has_torch() -> bool:
    """Return whether PyTorch is installed, without importing it."""
    return importlib.util.find_spec("torch") is not None


def usable_gpus() -> int:
    """Return the number of GPUs that this process can compute on.

    0 on a Space with ZeroGPU: `spaces` reports a GPU there, but it exists only inside a function
    marked @spaces.GPU, in a process forked for each call, while the engine is a thread with a cache
    that must persist. Such a Space writes on its CPU.

    0 if the GPU is too old for this PyTorch: its first kernel would fail.
    """
    if "SPACES_ZERO_GPU" in os.environ or not driver_gpus() or not has_torch():
        return 0
    import torch

    if not torch.cuda.is_available():
        return 0
    is_new = torch.cuda.get_device_capability(0) >= lowest_capability()
    return torch.cuda.device_count() if is_new else 0


def lowest_capability() -> tuple[int, int]:
    """Return the lowest compute capability for which this PyTorch has kernels."""
    import torch

    matches = [re.fullmatch(r"sm_(\d+)(\d)[af]?", name) for name in torch.cuda.get_arch_list()]
    return min(((int(found[1]), int(found[2])) for found in matches if found), default=(0, 0))


def why_not_used() -> str | None:
    """Return why a GPU of this machine is not used, with the remedy; None without such a GPU."""
    if "SPACES_ZERO_GPU" in os.environ or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    wheels = "cu130" if sys.platform == "win32" else "cu126"
    if not driver_gpus():
        if shutil.which("nvidia-smi") is None:
            return None
        return "there is an NVIDIA GPU but its driver does not answer: update the NVIDIA driver"
    if not has_torch():
        return f"there is an NVIDIA GPU, which needs PyTorch: {INSTALL}"
    if usable_gpus():
        return None
    import torch

    if torch.cuda.is_available():
        return (
            f"{torch.cuda.get_device_name(0)} is too old for this PyTorch: pip install torch "
            f"--index-url {CUDA_WHEELS}/cu126 still has kernels for it"
        )
    driver = "" if torch.version.cuda is None else "update the NVIDIA driver, or "
    return (
        "there is an NVIDIA GPU but this PyTorch cannot use it: "
        f"{driver}pip install torch --index-url {CUDA_WHEELS}/{wheels}"
    )


def introduction(device: str, requested: str) -> str:
    """Return a line that names the device, and why it is not a GPU of this machine, unless the CPU
    was requested."""
    if device != "cpu":
        import torch

        return f"writing on {torch.cuda.get_device_name(device)}"
    reason = None if requested == "cpu" else why_not_used()
    return "writing on the CPU" + (f" ({reason})" if reason else "")
