"""How a run stands: of its files and its locks."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from playground.runs.status import status_of, summary
from playground.runs.views import details
from tests.playground.runs.conftest import write_run


@contextmanager
def trained_by(run: Path, pid: int) -> Iterator[None]:
    """The trainer's lock, held for a process."""
    with (run / ".run.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(f"process {pid} on {socket.gethostname()}, since 2026-01-01 10:00")
        file.flush()
        yield


def own(run: Path, name: str, **content: Any) -> None:
    (run / ".studio").mkdir(exist_ok=True)
    (run / ".studio" / name).write_text(json.dumps(content))


def test_a_run_that_trains_is_found_by_its_lock(runs: Path) -> None:
    run = write_run(runs / "mine", state="running", pid=77)
    with trained_by(run, 77):
        found = summary(run)
        assert (found["state"], found["step"], found["steps"]) == ("running", 40, 100)
        assert found["can"] == ["pause", "stop", "write", "export"]
        assert 0 < found["seconds_left"] <= 6.0  # 60 steps of 0.1 s
        assert found["tokens_per_second"] == 640
    stopped = summary(run)  # kill -9: it says that it runs, and nobody does
    assert (stopped["state"], stopped["step"]) == ("stopped", 20)
    assert "Resume continues after step 20" in stopped["message"]
    assert {"resume", "restart", "write", "delete"} <= set(stopped["can"])
    assert stopped["seconds_left"] == pytest.approx(8.0)  # at once, from the lines before


def test_a_lock_of_another_process_than_the_state_s_means_that_it_begins(runs: Path) -> None:
    run = write_run(runs / "mine", state="stopped", pid=77)
    with trained_by(run, 78):
        assert status_of(run).state == "preparing"
        assert status_of(run).pid == 78


@pytest.mark.parametrize(("action", "after"), [("pause", "paused"), ("stop", "stopped")])
def test_what_was_asked_is_shown_at_once_and_kept(runs: Path, action: str, after: str) -> None:
    run = write_run(runs / "mine", state="running", pid=77)
    own(run, "request.json", action=action, pid=77, time=time.time())
    with trained_by(run, 77):
        found = summary(run)
        assert found["state"] == "stopping" and "stop" not in found["can"]
    about = json.loads((run / "state.json").read_text())
    (run / "state.json").write_text(json.dumps(about | {"state": "stopped", "message": "saved"}))
    found = summary(run)
    assert (found["state"], found["message"]) == (after, "saved")
    assert "resume" in found["can"]


def test_a_process_that_failed_before_it_took_up_the_run_says_why(runs: Path) -> None:
    run = write_run(runs / "mine", time=time.time() - 60)
    own(run, "launch.json", pid=5, time=time.time(), words=["--preset", "smoke"], log_start=9)
    log = run / ".studio" / "log.txt"
    log.write_bytes(b"error: x\nreading\n 10%|# | 1/2\rerror: there is no file a.txt: add it\n")
    found = details(run)
    assert (found["state"], found["message"]) == ("failed", "there is no file a.txt: add it")
    assert found["log"] == ["error: x", "reading", "error: there is no file a.txt: add it"]
    log.write_text("error: x\nModuleNotFoundError: No module named 'torch'\n")
    assert "the package torch, which training needs, is not installed" in summary(run)["message"]
    log.write_text("error: x\n")  # of before: this time it was killed
    own(run, "exit.json", pid=5, code=-9)
    found = summary(run)
    assert found["state"] == "stopped" and "memory ran out" in found["message"]


def test_a_run_that_could_write_no_message_says_that_the_disk_is_full(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = write_run(runs / "mine", state="running", pid=77)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3 * 2**20))
    found = summary(run)
    assert found["state"] == "stopped" and "resume" in found["can"]
    assert "its disk is nearly full (3 MB free): make room in" in found["message"]
    assert "Resume continues after step 20." in found["message"]
    own(run, "launch.json", pid=77, time=0, words=[], log_start=0)
    (run / ".studio" / "log.txt").write_text("error: the disk refused: make room\n")
    found = summary(run)
    assert (found["state"], found["message"]) == ("failed", "the disk refused: make room")
    own(run, "launch.json", pid=76, time=0, words=[], log_start=0)  # a terminal resumed it
    assert summary(run)["state"] == "stopped"


@pytest.mark.parametrize("state", ["failed", "finished"])
def test_how_a_run_ended(runs: Path, state: str) -> None:
    run = write_run(runs / "mine", state=state, message="no" if state == "failed" else "")
    found = summary(run)
    assert found["state"] == state and found["message"] == ("no" if state == "failed" else "")
    assert ("resume" in found["can"]) is (state == "failed")


def test_a_run_of_an_older_version_is_shown_as_far_as_it_is_known(runs: Path) -> None:
    run = write_run(runs / "mine")
    (run / "state.json").unlink()
    found = details(run)
    assert (found["state"], found["steps"], found["settings"]) == ("stopped", None, {})
    assert "resume" not in found["can"] and "delete" in found["can"]
    (run / "export").mkdir()
    (run / "export" / "README.md").write_text("x")
    assert summary(run)["state"] == "finished"


def test_damaged_files_are_as_if_they_were_not_there(runs: Path) -> None:
    run = write_run(runs / "mine")
    (run / "metrics.jsonl").write_text('{"step": 5, "loss": 4.0}\n{"step": 10, "lo')
    (run / "state.json").write_text('{"state": "runn')
    assert summary(run)["loss"] == 4.0
    (run / "metrics.jsonl").write_bytes(b"\xff\xfe\x00[" * 1000)
    assert summary(run)["loss"] is None
    os.remove(run / "metrics.jsonl")
    assert details(run)["samples"] == []


def test_perplexity_is_that_of_the_newest_evaluation(runs: Path) -> None:
    run = write_run(runs / "mine")
    assert summary(run)["perplexity"] is None
    (run / "export").mkdir()
    evaluation = {"perplexity": 5.5, "perplexity_interval": [5.4, 5.6], "stories": 9}
    (run / "export" / "training.json").write_text(json.dumps({"validation": evaluation}))
    expected = {"value": 5.5, "low": 5.4, "high": 5.6, "stories": 9}
    assert summary(run)["perplexity"] == expected
    own(run, "evaluation.json", **evaluation | {"perplexity": 5.0})
    assert summary(run)["perplexity"] == expected | {"value": 5.0}
