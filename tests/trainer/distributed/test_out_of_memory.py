"""A full memory is one sentence with the micro-batch to try; other errors are no full memory."""

import resource
import subprocess
import sys
from pathlib import Path

import torch

from tests.paths import ROOT
from trainer.distributed.out_of_memory import is_full

LIMIT = 6 * 2**30  # of address space; what the blocks keep for the way back takes 8 or more


def test_a_full_memory_names_the_micro_batch_to_try(tmp_path: Path) -> None:
    settings = {
        "preset": "smoke",
        "run.dir": tmp_path / "run",
        "corpus.folder": tmp_path / "data",
        "model.intermediate": 32_768,
        "optim.global_batch": 128,
        "runtime.micro_batch": 128,
    }
    done = subprocess.run(
        [
            *(sys.executable, "trainer/train.py"),
            *(word for key, value in settings.items() for word in (f"--{key}", str(value))),
        ],
        cwd=ROOT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (LIMIT, LIMIT)),
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert done.returncode == 2, done.stderr
    told = done.stderr.splitlines()[-1]
    assert told.startswith("error: the memory is full with runtime.micro_batch 128")
    assert "--runtime.micro_batch 64" in told
    assert "Traceback" not in done.stderr


def test_other_errors_are_not_mistaken_for_it() -> None:
    assert is_full(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_full(MemoryError())
    assert not is_full(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not is_full(ValueError("out of memory"))
