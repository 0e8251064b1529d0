"""Training on the CPU does not ask the kernel for the same memory at each update."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer.model.device import keep_freed_memory


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_kept(tmp_path: Path) -> None:
    """Counted in page faults, which do not depend on what the machine does beside."""
    faults = {}
    for mode in ("returned", "kept"):
        run = Program([Path(__file__), mode], tmp_path / f"{mode}.txt")
        assert run.wait() == 0, run.said()
        faults[mode] = int(run.said())
    assert faults["returned"] > 10 * (1 + faults["kept"])


def faults_of_an_update() -> int:
    """Return the number of pages that a tensor of 64 MiB takes from the kernel."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)  # freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main(mode: str) -> None:
    """Print the fewest faults of six updates. The heap is told to keep memory before the first
    tensor, as in a run; the fewest count, because small objects may cut the chunk that was freed.
    """
    if mode == "kept":
        keep_freed_memory()
    print(min(faults_of_an_update() for _ in range(6)))


if __name__ == "__main__":
    main(sys.argv[1])
