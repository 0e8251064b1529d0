"""What stops a run besides its last step: the clock, signals, and where nobody hears signals; and
a run that becomes longer than it was planned."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from trainer.train import main

SMALL = [
    *("--preset", "smoke", "--model.hidden", "32", "--model.intermediate", "64"),
    *("--model.context", "32", "--optim.global_batch", "4", "--run.snapshots", "0"),
    *("--run.validate_blocks", "1", "--run.sample_length", "2", "--run.evaluate_stories", "1"),
    *("--corpus.tokenizer", "train:300"),
]


@pytest.fixture
def settings(tmp_path: Path, stores: Path) -> list[str]:
    return [*SMALL, "--run.dir", str(tmp_path / "run"), "--corpus.folder", str(stores)]


def state_of(run: Path) -> dict[str, Any]:
    """What a run says of itself."""
    return dict(json.loads((run / "state.json").read_text()))


@contextmanager
def signal_after_a_step(number: signal.Signals, folder: Path) -> Iterator[None]:
    """Send this process a signal as soon as the run in `folder` has logged a step."""
    log, is_over = folder / "metrics.jsonl", threading.Event()

    def watch() -> None:
        while not is_over.wait(0.01):
            if log.is_file() and log.stat().st_size:
                return os.kill(os.getpid(), number)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    yield
    is_over.set()
    watcher.join()


@pytest.mark.slow
def test_the_clock_saves_and_stops_and_the_same_command_resumes(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*settings, "--optim.steps", "40", "--run.minutes", "0.0001"]) == 0
    message = capsys.readouterr().err
    assert (
        "run.minutes 0.0001 are over; saved after step 1: the same command resumes the run"
        in message
    )
    assert [path.name for path in (tmp_path / "run" / "checkpoints").iterdir()] == ["step-00000001"]
    assert not (tmp_path / "run" / "export").exists()
    about = state_of(tmp_path / "run")
    assert (about["state"], about["step"], about["steps"]) == ("stopped", 1, 40)
    assert about["message"] == "stopped; saved after step 1: the same command resumes the run"
    assert about["settings"]["optim"]["steps"] == 40 and "optim.steps" in about["given"]
    assert main([*settings, "--optim.steps", "40", "--run.minutes", "9"]) == 0
    assert (state_of(tmp_path / "run")["state"], state_of(tmp_path / "run")["step"]) == (
        "finished", 40,
    )  # fmt: skip
    lines = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").open()]
    seconds = [line["seconds"] for line in lines]
    assert seconds == sorted(seconds) and seconds[-1] > 0
    message = capsys.readouterr().err
    assert "resuming after step 1 of 40" in message
    assert f"python app.py --model {tmp_path / 'run' / 'export'} opens it" in message


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_closed_terminal_and_a_scheduler_save_and_stop(
    number: signal.Signals,
    settings: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = signal.getsignal(number)
    long = ["--optim.steps", "1000000", "--run.log_every", "1", "--runtime.compile", "off"]
    with signal_after_a_step(number, tmp_path / "run"):
        assert main([*settings, *long]) == 130
    about = state_of(tmp_path / "run")
    assert (about["state"], about["pid"]) == ("stopped", os.getpid()) and about["step"] > 0
    assert "stopped; saved after step" in capsys.readouterr().err
    assert signal.getsignal(number) == before


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_longer_wsd_run_resumes_to_the_bits_of_one_planned_so(
    settings: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wsd = [
        *settings,
        "--optim.schedule",
        "wsd",
        "--optim.warmup_steps",
        "3",
        "--model.dropout",
        "0.1",
    ]
    few = ["--run.save_every", "100", "--run.keep_last", "1"]
    assert main([*wsd, *few, "--optim.steps", "12"]) == 0
    kept = sorted(path.name for path in (tmp_path / "run" / "checkpoints").iterdir())
    assert "step-00000010" in kept  # before the last fifth, in which the rate falls
    capsys.readouterr()
    assert main([*wsd, *few, "--optim.steps", "20"]) == 0
    assert "resuming after step 10 of 20" in capsys.readouterr().err
    whole = ["--run.dir", str(tmp_path / "whole")]
    assert main([*wsd, *few, *whole, "--optim.steps", "20"]) == 0
    name = "export/model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    lines = [(tmp_path / run / "metrics.jsonl").read_text() for run in ("run", "whole")]
    assert losses_of(lines[0]) == losses_of(lines[1])
    assert main([*wsd, *few, "--optim.steps", "20", "--optim.schedule", "cosine"]) == 2
    assert "optim.schedule was wsd and is now cosine" in capsys.readouterr().err


def losses_of(text: str) -> dict[int, float]:
    lines = map(json.loads, text.splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}
