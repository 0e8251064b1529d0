"""Work in a process of its own that ends by itself: an inspection, an estimate, an export.

A task ends with the app. A task of no run, such as a dry run, is an answer to a page that waits for
it: it is cancelled when no page has asked for it for `PATIENCE` seconds. Results stay until the app
ends or a hundred other tasks have started.
"""

from __future__ import annotations

import contextlib
import itertools
import json
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

from playground.runs.errors import Conflict, Missing, Refused
from playground.runs.log import BAR, ending, lines_of
from playground.runs.training import ROOT, environment, lower_priority
from playground.sentences import capitalized

KEPT = 100
AT_ONCE = 4
PATIENCE = 15.0  # s; the page asks every 0.7 s, and a browser slows hidden tabs down
RUNNING, DONE, FAILED, CANCELLED = "running", "done", "failed", "cancelled"


class Task:
    """A piece of work in the background. `run`: the name of its run, or empty."""

    def __init__(self, number: int, kind: str, run: str) -> None:
        self.id, self.kind, self.run = str(number), kind, run
        self.state, self.message, self.line = RUNNING, "", ""
        self.result: dict[str, Any] | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.is_cancelled = False
        self.asked_at = time.monotonic()

    def to_json(self) -> dict[str, Any]:
        """For the page."""
        names = ("id", "kind", "run", "state", "message", "line", "result")
        return {name: getattr(self, name) for name in names}

    def call(self, words: Sequence[str]) -> str:
        """Run `python WORDS` in the project's folder until it ends, and return what it printed.

        Raises:
            Refused: it ended with an error, or the task was cancelled.
        """
        with tempfile.TemporaryDirectory(prefix="inkling-") as place:
            log = Path(place) / "log"
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
                    ending(log, 0) or f"the command ended with the code {code}, without a message"
                )
            return printed

    def watch(self, log: Path, process: subprocess.Popen[bytes]) -> None:
        """Show the newest line of the process's log every half second until it ends, and cancel a
        task that no page waits for."""
        while True:
            try:
                process.wait(0.5)
                return
            except subprocess.TimeoutExpired:
                if not self.run and time.monotonic() - self.asked_at > PATIENCE:
                    self.cancel()
                found = [line for line in lines_of(log) if not BAR.search(line)]
                self.line = found[-1] if found else self.line

    def cancel(self) -> None:
        """End it and its process."""
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
        self.tasks: dict[str, Task] = {}

    def start(self, kind: str, work: Callable[[Task], dict[str, Any]], run: str = "") -> Task:
        """Begin to work in a thread of its own.

        Raises:
            Conflict: the same is under way for the same run, or too much is.
        """
        running = [task for task in list(self.tasks.values()) if task.state == RUNNING]
        if run and any(task.run == run and task.kind == kind for task in running):
            raise Conflict(f"this is under way for {run} already: wait for it.")
        if len(running) >= AT_ONCE:
            raise Conflict(f"{AT_ONCE} tasks are under way: wait for one of them.")
        task = Task(next(self.numbers), kind, run)
        self.tasks[task.id] = task
        for old in list(self.tasks)[:-KEPT]:
            if self.tasks[old].state != RUNNING:
                del self.tasks[old]
        threading.Thread(target=self.work, args=(task, work), daemon=True).start()
        return task

    def work(self, task: Task, work: Callable[[Task], dict[str, Any]]) -> None:
        """Do the work of a task, and keep what it found or why it failed."""
        try:
            task.result = work(task)
            task.state = DONE
        except (ValueError, OSError, MemoryError, RuntimeError) as problem:
            task.message = "" if task.is_cancelled else capitalized(str(problem))
            task.state = CANCELLED if task.is_cancelled else FAILED

    def get(self, number: str) -> Task:
        """Return a task by its id, for a page that waits for it; Missing where it is missing."""
        if number not in self.tasks:
            raise Missing("there is no such task any more: ask for it again.")
        self.tasks[number].asked_at = time.monotonic()
        return self.tasks[number]

    def of_run(self, run: str) -> Task | None:
        """The newest task of a run that is under way."""
        tasks = reversed(list(self.tasks.values()))
        return next((one for one in tasks if one.run == run and one.state == RUNNING), None)

    def close(self) -> None:
        """End all of them, with the app."""
        for task in list(self.tasks.values()):
            if task.state == RUNNING:
                task.cancel()


def last_object(printed: str) -> dict[str, Any]:
    """The JSON object in the last line that a command printed."""
    for line in reversed(printed.splitlines()):
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                return found
    raise Refused("the command did not answer as it should: update the project.")
