"""Background tasks of the app, in processes of their own: an inspection, an estimate, an export.

A task without a run, such as a dry run, is cancelled when no page has polled it for `PATIENCE`
seconds. Tasks end with the app; until then the results of the last KEPT tasks are kept.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from playground.folder.json_file import json_object
from playground.runs.errors import Conflict, Missing, Refused
from playground.runs.log import last_error, lines_of
from playground.runs.training import ROOT, environment, lower_priority
from playground.sentences import capitalized

KEPT = 100
AT_ONCE = 4
PATIENCE = 15.0  # s; the page asks every 0.7 s, and a browser slows hidden tabs down
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"


class Task:
    """A background task. `run`: the name of its run, or ""."""

    def __init__(self, number: int, kind: str, run: str) -> None:
        self.id, self.kind, self.run = str(number), kind, run
        self.state, self.message, self.line = RUNNING, "", ""
        self.result: dict[str, Any] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.is_cancelled = False
        self.asked_at = time.monotonic()

    def to_json(self) -> dict[str, Any]:
        """Return the task for the page."""
        names = ("id", "kind", "run", "state", "message", "line", "result")
        return {name: getattr(self, name) for name in names}

    def call(self, words: Sequence[str]) -> str:
        """Run `python WORDS` in the project's folder until it ends, and return what it printed.

        Raises:
            Refused: the command failed, or the task was cancelled.
        """
        with tempfile.TemporaryDirectory(prefix="inkling-") as folder:
            log = Path(folder) / "log"
            with log.open("wb") as errors:
                self.process = subprocess.Popen(
                    [sys.executable, *words],
                    cwd=ROOT,
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
            if self.is_cancelled:
                self.cancel()
            lower_priority(self.process.pid)
            watcher = threading.Thread(target=self.watch, args=(log, self.process), daemon=True)
            watcher.start()
            assert self.process.stdout is not None
            with self.process.stdout:
                printed = self.process.stdout.read().decode("utf-8", "replace")
            code = self.process.wait()
            watcher.join()
            if code:
                raise Refused(
                    last_error(log, 0) or f"the command ended with code {code}, without a message"
                )
            return printed

    def watch(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        """Keep the newest line of the process's log, for the page, until the process ends; cancel a
        task that no page polls any more."""
        while True:
            try:
                process.wait(0.5)
                return
            except subprocess.TimeoutExpired:
                if not self.run and time.monotonic() - self.asked_at > PATIENCE:
                    self.cancel()
                self.line = next(reversed(lines_of(log)), self.line)

    def cancel(self) -> None:
        """End the task and its process."""
        self.is_cancelled = True
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if os.name == "posix":
                    os.killpg(self.process.pid, signal.SIGTERM)
                else:
                    self.process.terminate()


class Tasks:
    """All tasks of an app."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.starting = threading.Lock()
        self.tasks: dict[str, Task] = {}

    def start(self, kind: str, work: Callable[[Task], dict[str, Any]], run: str = "") -> Task:
        """Start a task in a thread of its own.

        Raises:
            Conflict: such a task is running for the same run, or AT_ONCE tasks are running.
        """
        with self.starting:
            running = [task for task in list(self.tasks.values()) if task.state == RUNNING]
            if run and any(task.run == run and task.kind == kind for task in running):
                raise Conflict(f"this is already running for {run}: wait until it is done.")
            if len(running) >= AT_ONCE:
                raise Conflict(f"{AT_ONCE} tasks are running: wait until one is done.")
            task = Task(next(self.numbers), kind, run)
            self.tasks[task.id] = task
            for old in list(self.tasks)[:-KEPT]:
                if self.tasks[old].state != RUNNING:
                    del self.tasks[old]
        threading.Thread(target=self.work, args=(task, work), daemon=True).start()
        return task

    def work(self, task: Task, work: Callable[[Task], dict[str, Any]]) -> None:
        """Do the work of a task, and keep its result or its error message."""
        try:
            task.result = work(task)
            task.state = DONE
        except (ValueError, OSError, MemoryError, RuntimeError) as problem:
            task.message = "" if task.is_cancelled else capitalized(str(problem))
            task.state = CANCELLED if task.is_cancelled else FAILED

    def get(self, number: str) -> Task:
        """Return a task by its id, for a page that polls it; Missing if it is not kept."""
        if number not in self.tasks:
            raise Missing("this task is not kept any more: start it again.")
        self.tasks[number].asked_at = time.monotonic()
        return self.tasks[number]

    def of_run(self, run: str) -> Task | None:
        """Return the newest running task of a run."""
        tasks = reversed(list(self.tasks.values()))
        return next((task for task in tasks if task.run == run and task.state == RUNNING), None)

    def close(self) -> None:
        """Cancel all tasks, when the app ends."""
        for task in list(self.tasks.values()):
            if task.state == RUNNING:
                task.cancel()


def last_object(printed: str) -> dict[str, Any]:
    """Return the last JSON object in a command's output, one line each."""
    for line in reversed(printed.splitlines()):
        if (value := json_object(line)) is not None:
            return value
    raise Refused("the command printed no JSON object: update the project.")
