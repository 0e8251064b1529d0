"""What stops a run besides its last step: the clock, signals, and where nobody hears signals."""

import os
import signal
import threading
from pathlib import Path

import pytest

from trainer.train import main

SMALL = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "32", "--optim.global_batch", "4", "--run.snapshots", "0"),
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.judge_stories", "1"),
]


@pytest.fixture
def settings(tmp_path: Path) -> list[str]:
    return [*SMALL, "--run.dir", str(tmp_path / "run"), "--corpus.folder", str(tmp_path / "data")]


def test_the_clock_saves_and_stops_and_the_same_command_goes_on(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*settings, "--optim.steps", "40", "--run.minutes", "0.0001"]) == 0
    said = capsys.readouterr().err
    assert "run.minutes 0.0001 are over; saved after step 1: the same command goes on" in said
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000001"]
    assert not (tmp_path / "run" / "export").exists()
    assert main([*settings, "--optim.steps", "40", "--run.minutes", "9"]) == 0
    said = capsys.readouterr().err
    assert "going on after step 1 of 40" in said
    assert f"python app.py --model {tmp_path / 'run' / 'export'} opens it" in said


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_and_a_scheduler_save_and_stop(
    number: signal.Signals, settings: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(number)
    timer = threading.Timer(4.0, os.kill, (os.getpid(), number))
    timer.start()
    assert main([*settings, "--optim.steps", "1000000", "--runtime.compile", "off"]) == 130
    assert "stopped; saved after step" in capsys.readouterr().err
    assert signal.getsignal(number) == before


def test_a_thread_trains_too(settings: list[str], tmp_path: Path) -> None:
    """As in a notebook's executor, where Python takes no signals."""
    codes: list[int] = []
    thread = threading.Thread(
        target=lambda: codes.append(main([*settings, "--optim.steps", "2"])), daemon=True
    )
    thread.start()
    thread.join(200)
    assert codes == [0]
    assert (tmp_path / "run" / "export" / "model.safetensors").is_file()
