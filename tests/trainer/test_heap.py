"""Training on the CPU does not ask the kernel for the same memory at each update."""

from __future__ import annotations

import resource
import subprocess
import sys

import pytest
import torch

from tests.paths import ROOT
from trainer.model.device import keep_freed_memory


@pytest.mark.process
@pytest.mark.skipif(sys.platform != "linux", reason="the heap is glibc's")
def test_freed_memory_is_kept() -> None:
    """Counted in page faults, which do not depend on what the machine does beside, in processes of
    their own: one that is forked has a heap already."""
    command = [sys.executable, "-m", "tests.trainer.test_heap"]
    faults = {
        mode: int(subprocess.check_output([*command, mode], cwd=ROOT))
        for mode in ("returned", "kept")
    }
    assert faults["returned"] > 10 * (1 + faults["kept"])


def faults_of_an_update() -> int:
    """Return the number of pages that a tensor of 64 MiB takes from the kernel."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.ones(16 << 20)  # freed at once
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def main(mode: str) -> None:
    """Print the fewest faults of forty updates. The heap is told to keep memory before the first
    tensor, as in a run; the fewest count, because small objects cut the chunk that was freed, in
    one environment in the first seven updates.
    """
    if mode == "kept":
        keep_freed_memory()
    print(min(faults_of_an_update() for _ in range(40)))


if __name__ == "__main__":
    main(sys.argv[1])
