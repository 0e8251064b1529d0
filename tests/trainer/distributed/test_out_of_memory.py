"""Out of memory is one line with the micro-batch to try; other errors are not taken for it."""

import resource
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer.distributed.out_of_memory import is_full

LIMIT = 3 * 2**30  # of address space; what the blocks keep for the way back takes 4 or more


@pytest.mark.process
def test_a_full_memory_names_the_micro_batch_to_try(tmp_path: Path, stores: Path) -> None:
    settings = {
        "preset": "smoke",
        "run.dir": tmp_path / "run",
        "corpus.folder": stores,
        "model.intermediate": 16_384,
        "optim.global_batch": 128,
        "runtime.micro_batch": 128,
    }
    words = [word for key, value in settings.items() for word in (f"--{key}", str(value))]
    run = Program(["trainer/train.py", *words], tmp_path / "output.txt")
    resource.prlimit(run.process.pid or 0, resource.RLIMIT_AS, (LIMIT, LIMIT))
    assert run.wait() == 2, run.output()
    message = run.output().splitlines()[-1]
    assert message.startswith("error: the memory is full with runtime.micro_batch 128")
    assert "--runtime.micro_batch 64" in message
    assert "Traceback" not in run.output()


def test_other_errors_are_not_mistaken_for_it() -> None:
    assert is_full(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_full(MemoryError())
    assert not is_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_full(ValueError("out of memory"))
