"""The device of a run: whether a GPU can be used, and whether compiling works there."""

from __future__ import annotations

import ctypes
import os
import re
import shutil
import sys

import torch

CUDA_WHEELS = "https://download.pytorch.org/whl"
M_TRIM_THRESHOLD = -1  # the numbers of mallopt(3)
M_MMAP_MAX = -4


def usable_gpu() -> bool:
    """Return whether there is a GPU and this PyTorch has kernels for it.

    `torch.cuda.is_available()` is also true for a GPU that is too old for the wheel (a GTX 10xx
    or V100 with torch 2.13), on which the first kernel fails.
    """
    return torch.cuda.is_available() and capability() >= lowest_capability()


def capability() -> tuple[int, int]:
    """Return the (major, minor) compute capability of the first GPU."""
    return torch.cuda.get_device_capability(0)


def lowest_capability() -> tuple[int, int]:
    """Return the lowest compute capability that this PyTorch has kernels for."""
    numbers = [re.fullmatch(r"sm_(\d+)(\d)[af]?", name) for name in torch.cuda.get_arch_list()]
    return (
        min((int(match[1]), int(match[2])) for match in numbers if match)
        if any(numbers)
        else (0, 0)
    )


def why_not_used() -> str | None:
    """Return why a GPU is not used, and the remedy; None if it is used or there is no GPU."""
    if usable_gpu():
        return None
    if torch.cuda.is_available():
        version = ".".join(map(str, capability()))
        return (
            f"{torch.cuda.get_device_name(0)} (compute capability {version}) is too old for this "
            "PyTorch, so the CPU is used: pip install torch --index-url "
            f"{CUDA_WHEELS}/cu126 still has kernels for it"
        )
    if shutil.which("nvidia-smi") is None or os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1"):
        return None
    wheels = "cu130" if sys.platform == "win32" else "cu126"
    driver = "" if torch.version.cuda is None else "update the NVIDIA driver, or "
    return (
        "there is an NVIDIA GPU but this PyTorch cannot use it, so the CPU is used: "
        f"{driver}pip install torch --index-url {CUDA_WHEELS}/{wheels}"
    )


def name_of(device: torch.device) -> str:
    """Return the name of a device for people."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "the CPU" if device.type == "cpu" else str(device)


def why_not_compiled(device: torch.device) -> str | None:
    """Return why `torch.compile` does not work here, by compiling two lines; None if it works.

    Inductor needs a C++ compiler for the CPU, and for a GPU Triton, a C compiler and Python.h.
    """
    try:
        compiled = torch.compile(lambda x: torch.sin(x) + 1)
        compiled(torch.ones(8, device=device))
    except Exception as error:  # Inductor, Triton and subprocess raise many kinds
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return (lines[0] if lines else type(error).__name__)[:200].rstrip(".")
    finally:
        torch._dynamo.reset()
    return None


def set_deepspeed_device() -> None:
    """Name the CPU to DeepSpeed if there is no GPU: it would guess, and print a warning.
    transformers imports it when it saves a model."""
    if not usable_gpu():
        os.environ.setdefault("DS_ACCELERATOR", "cpu")


def make_deterministic() -> None:
    """Choose deterministic kernels for all computation of this process on a GPU.

    Without it the embedding's gradient and flash attention's dQ are summed by atomic additions in
    the order of arrival, and Inductor chooses between kernels by measured time.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS reads it at its start
    torch.use_deterministic_algorithms(True)  # warn_only would not change flash attention
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    from torch._inductor import config as inductor

    inductor.deterministic = True


def keep_freed_memory() -> bool:
    """Make this process keep freed memory, and PyTorch use large pages; return False without change
    if the C library is not glibc.

    glibc maps new pages for every tensor of more than some megabytes and unmaps them afterwards, so
    each update on a CPU faults in all its activations again, 4 KiB at a time. To be called before
    the first large tensor: PyTorch reads its variable once.
    """
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except AttributeError:  # musl lacks mallopt
        return False
    return bool(mallopt(M_MMAP_MAX, 0)) and bool(mallopt(M_TRIM_THRESHOLD, -1))
