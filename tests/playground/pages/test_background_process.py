"""The other process: it answers, says what is wrong, and is started again when it is killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from playground.pages.background_process import NICE, BackgroundProcess
from playground.stories import qr
from tests.paths import ROOT

pytestmark = pytest.mark.process


@pytest.fixture
def process() -> Iterator[BackgroundProcess]:
    process = BackgroundProcess()
    yield process
    process.close()


def test_it_answers_from_elsewhere_with_low_priority(process: BackgroundProcess) -> None:
    other = process.call(os.getpid)
    assert other != os.getpid()
    assert process.call(os.getpid) == other
    assert process.call(os.nice, 0) == min(19, os.nice(0) + NICE)
    with pytest.raises(ValueError, match="at most 2,953 letters"):
        process.call(qr.svg, "x" * 3_000)
    assert process.call(os.getpid) == other


def test_a_killed_one_is_replaced(process: BackgroundProcess) -> None:
    first = process.call(os.getpid)
    with pytest.raises(RuntimeError, match="try again in a moment"):
        process.call(os.kill, first, signal.SIGKILL)
    assert process.call(os.getpid) != first


def test_it_ends_with_those_who_asked(process: BackgroundProcess) -> None:
    other = process.call(os.getpid)
    (child,) = [one for one in multiprocessing.active_children() if one.pid == other]
    process.close()
    child.join()
    assert child.exitcode == 0


def test_it_ends_when_its_parent_is_killed() -> None:
    code = (
        "import os, time\n"
        "from playground.pages.background_process import BackgroundProcess\n"
        "if __name__ == '__main__':\n"
        "    print(BackgroundProcess().call(os.getpid), flush=True)\n"
        "    time.sleep(600)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        other = int(parent.stdout.readline())
        parent.kill()
    while is_running(other):  # the test's own timeout ends this
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    """Whether a process has not ended yet; one that nobody has waited for has."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status != "Z"
