"""A run that was stopped goes on bit for bit; one that is finished or was changed is not touched.

What kills do is in test_kill.py.
"""

import os
import signal
import time
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer.distributed.runtime import choose_dtype

SETTINGS = ["--preset", "smoke", "--model.dropout", "0.1", "--optim.global_batch", "4"]
LENGTH = ["--run.save_every", "7", "--run.log_every", "1", "--run.validate_every", "20"]


def start(folder: Path, *more: str) -> Program:
    """The trainer at work on a small run in `folder`."""
    where = ["--run.dir", folder, "--corpus.folder", folder.parent / "data", "--optim.steps", "40"]
    words = ["trainer/train.py", *SETTINGS, *LENGTH, *where, *more]
    number = len(list(folder.parent.glob(f"{folder.name}-*.txt")))
    return Program(words, folder.with_name(f"{folder.name}-{number}.txt"))


def finish(process: Program, code: int = 0) -> str:
    """What the trainer said until it ended with `code`."""
    assert process.wait() == code, process.said()
    return process.said()


def wait_for(path: Path, process: Program) -> None:
    """Until the trainer has made `path`."""
    deadline = time.monotonic() + 200
    while not path.exists():
        assert process.poll() is None, process.said()
        assert time.monotonic() < deadline, f"{path} did not appear"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    finish(start(folder))
    return folder


def test_ctrl_c_saves_and_says_how_to_go_on(whole: Path) -> None:
    folder = whole.with_name("stopped")
    process = start(folder)
    wait_for(folder / "checkpoints" / "step-00000007", process)
    process.send(signal.SIGINT)
    said = finish(process, 130)
    assert "stopped; saved after step" in said
    assert "the same command goes on" in said
    assert "going on after step" in finish(start(folder))
    name = "export/model.safetensors"
    assert (folder / name).read_bytes() == (whole / name).read_bytes()


def test_a_finished_run_is_not_touched(whole: Path) -> None:
    before = os.stat(whole / "export" / "model.safetensors").st_mtime_ns
    said = finish(start(whole), 2)
    assert said.startswith("error: the run in") or "\nerror: the run in" in said
    assert "is finished" in said
    assert "--run.fresh" in said
    assert os.stat(whole / "export" / "model.safetensors").st_mtime_ns == before


def test_changed_settings_are_refused_by_name(whole: Path) -> None:
    said = finish(start(whole, "--optim.lr", "0.1", "--model.dropout", "0.2"), 2)
    assert "model.dropout was 0.1 and is now 0.2; optim.lr was 0.005 and is now 0.1" in said
    assert "--run.fresh" in said


def test_another_arithmetic_is_refused_too(whole: Path) -> None:
    """Though the setting is `auto`, which chooses by the machine."""
    used, other = "fp32", "bf16"
    if choose_dtype("auto", torch.device("cpu")) == torch.bfloat16:
        used, other = other, used
    said = finish(start(whole, "--runtime.precision", other), 2)
    assert f"runtime.precision was {used} and is now {other}" in said


def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_is_used(whole: Path) -> None:
    folder = whole.with_name("damaged")
    process = start(folder)
    wait_for(folder / "checkpoints" / "step-00000021", process)
    process.kill()
    process.wait()
    newest = max((folder / "checkpoints").glob("step-????????"))
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    said = finish(start(folder))
    assert f"the checkpoint {newest} is damaged" in said
    name = "export/model.safetensors"
    assert (folder / name).read_bytes() == (whole / name).read_bytes()
