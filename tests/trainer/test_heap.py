"""Training on the CPU does not ask the kernel for the same memory at each update."""

from __future__ import annotations

import subprocess
import sys

import pytest

ALLOCATE = """
import resource
import sys

import torch

from trainer import heap

if sys.argv[1] == "kept":
    heap.keep_freed_memory()
for _ in range(3):
    torch.ones(16 << 20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(10):
    torch.ones(16 << 20)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(way: str) -> int:
    """Page faults of ten tensors of 64 MB, one after the other."""
    command = [sys.executable, "-c", ALLOCATE, way]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_used_again() -> None:
    kept, returned = faults("kept"), faults("returned")
    assert returned > 1000
    assert kept < returned / 10  # some come where the machine takes idle pages from everyone
