"""A run that was stopped resumes bit for bit; one that is finished or was changed is not touched.

What kills do is in test_kill.py.
"""

import os
import shutil
import signal
from pathlib import Path

import pytest
import torch

from tests.processes import Program
from trainer.distributed.runtime import choose_dtype
from trainer.train import main

SETTINGS = [
    *("--preset", "smoke", "--model.dropout", "0.1", "--optim.global_batch", "4"),
    *("--model.hidden", "32", "--model.intermediate", "64", "--model.context", "64"),
    *("--optim.steps", "240", "--run.save_every", "20", "--run.log_every", "1"),
    *("--run.validate_every", "120", "--run.validate_blocks", "1", "--run.evaluate_stories", "1"),
    *("--run.sample_length", "2", "--run.keep_last", "99", "--corpus.tokenizer", "train:300"),
]
EXPORT = "export/model.safetensors"


def command(folder: Path, *more: str) -> list[str]:
    """The settings of a small run in `folder`."""
    where = ["--run.dir", str(folder), "--corpus.folder", str(folder.parent / "data")]
    return [*SETTINGS, *where, *more]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that nothing disturbed."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    assert main(command(folder)) == 0
    return folder


@pytest.mark.process
def test_ctrl_c_saves_and_says_how_to_go_on(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = whole.with_name("stopped")
    process = Program(["trainer/train.py", *command(folder)], folder.with_name("output.txt"))
    process.wait_for(folder / "checkpoints" / "step-00000020")
    process.send(signal.SIGINT)
    assert process.wait() == 130, process.output()
    assert "stopped; saved after step" in process.output()
    assert "the same command resumes" in process.output()
    assert main(command(folder)) == 0
    assert "resuming after step" in capsys.readouterr().err
    assert (folder / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *more: str) -> str:
    """What the trainer says when it does not begin."""
    capsys.readouterr()
    assert main(command(folder, *more)) == 2
    return capsys.readouterr().err.splitlines()[-1]


@pytest.mark.slow
def test_a_finished_run_is_not_touched(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = os.stat(whole / EXPORT).st_mtime_ns
    message = refused(capsys, whole)
    assert message.startswith("error: the run in")
    assert "is finished" in message
    assert "--run.fresh" in message
    assert os.stat(whole / EXPORT).st_mtime_ns == before


@pytest.mark.slow
def test_changed_settings_are_refused_by_name(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, whole, "--optim.lr", "0.1", "--model.dropout", "0.2")
    assert "model.dropout was 0.1 and is now 0.2; optim.lr was 0.005 and is now 0.1" in message
    assert "--run.fresh" in message


@pytest.mark.slow
def test_another_arithmetic_is_refused_too(whole: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Though the setting is `auto`, which chooses by the machine."""
    used, other = "fp32", "bf16"
    if choose_dtype("auto", torch.device("cpu")) == torch.bfloat16:
        used, other = other, used
    message = refused(capsys, whole, "--runtime.precision", other)
    assert f"runtime.precision was {used} and is now {other}" in message


@pytest.mark.slow
def test_a_damaged_checkpoint_is_passed_over_and_the_one_before_is_used(
    whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = whole.with_name("damaged")
    shutil.copytree(whole, folder)
    shutil.rmtree(folder / "export")
    before, newest = sorted((folder / "checkpoints").glob("step-????????"))[-2:]
    weights = newest / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    assert main(command(folder)) == 0
    message = capsys.readouterr().err
    assert f"the checkpoint {newest} is damaged" in message
    assert f"resuming after step {int(before.name[5:])} of 240" in message
    assert (folder / EXPORT).read_bytes() == (whole / EXPORT).read_bytes()
