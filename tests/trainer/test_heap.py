"""Training on the CPU does not ask the kernel for the same memory at each update."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALLOCATE = """
import sys

import psutil
import torch

from trainer import heap

if sys.argv[1] == "kept":
    heap.keep_freed_memory()
held = psutil.Process().memory_info().rss
tensor = torch.ones(64 << 20)
del tensor
print(psutil.Process().memory_info().rss - held)
"""


def held_after(way: str) -> int:
    """What a process still holds of a tensor of 256 MiB that it freed, in bytes."""
    command = [sys.executable, "-c", ALLOCATE, way]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_kept() -> None:
    assert held_after("kept") > 200 << 20
    assert held_after("returned") < 50 << 20
