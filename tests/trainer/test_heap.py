"""Training on the CPU does not ask the kernel for the same memory at each update."""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer import heap


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_kept(tmp_path: Path) -> None:
    """Counted in page faults, which do not depend on what the machine does beside."""
    run = Program([Path(__file__)], tmp_path / "said.txt")
    assert run.wait() == 0, run.said()
    returned, kept = json.loads(run.said())
    assert returned > 10 * (1 + kept)


def faults_of_an_update() -> int:
    """Pages that a tensor of 64 MiB takes from the kernel, when one was there before."""
    torch.ones(16 << 20)  # freed at once
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main() -> None:
    """Say how many faults an update costs before and after the heap is told to keep memory."""
    returned = faults_of_an_update()
    heap.keep_freed_memory()
    print(json.dumps([returned, faults_of_an_update()]))


if __name__ == "__main__":
    main()
