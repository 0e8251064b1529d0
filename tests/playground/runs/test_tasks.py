"""Tasks: one that no page waits for ends, and its process with it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator

import pytest

from playground.runs import tasks as module
from playground.runs.tasks import CANCELLED, RUNNING, Task, Tasks

pytestmark = pytest.mark.process
PATIENCE = 1.0  # s


@pytest.fixture
def tasks(monkeypatch: pytest.MonkeyPatch) -> Iterator[Tasks]:
    monkeypatch.setattr(module, "PATIENCE", PATIENCE)
    tasks = Tasks()
    yield tasks
    tasks.close()


def sleep(task: Task) -> dict[str, str]:
    return {"printed": task.call(["-c", "import time; time.sleep(60)"])}


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_an_estimate_ends_when_no_page_asks_for_it(tasks: Tasks) -> None:
    task = tasks.start("estimate", sleep)
    wait_until(lambda: task.state == CANCELLED)
    assert task.process is not None and task.process.poll() is not None
    with pytest.raises(ProcessLookupError):
        os.killpg(task.process.pid, 0)
    assert task.message == ""


def test_a_task_that_is_asked_for_or_belongs_to_a_run_continues(tasks: Tasks) -> None:
    estimate, export = tasks.start("estimate", sleep), tasks.start("export", sleep, "mine")
    end = time.monotonic() + 3 * PATIENCE
    while time.monotonic() < end:
        assert tasks.get(estimate.id).state == RUNNING
        time.sleep(0.2)
    assert export.state == RUNNING
    assert export.process is not None and export.process.poll() is None
