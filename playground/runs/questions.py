"""What the trainer's commands are asked before a run: its settings, how it reads stories, and how
long a run would take here.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playground.runs.errors import Refused
from playground.runs.log import ERROR
from playground.runs.stories import StorySets
from playground.runs.tasks import Task, last_object
from playground.runs.training import ROOT, TRAIN, environment

SECONDS = 60.0  # for a command that only reads settings
KEPT = 32
Key = tuple[Any, ...]


class Questions:
    """The commands, and the answers that stay true."""

    def __init__(self, sets: StorySets) -> None:
        self.sets = sets
        self.known: dict[str, Any] | None = None
        self.estimates: dict[Key, dict[str, Any]] = {}
        self.lock = threading.Lock()

    def settings(self) -> dict[str, Any]:
        """Return all settings with their meaning, and the presets with their values."""
        with self.lock:
            if self.known is None:
                self.known = last_object(ask([TRAIN, "--help", "--json"]))
            return self.known

    def check(self, words: Sequence[str]) -> None:
        """Refuse settings that the trainer would refuse."""
        ask([TRAIN, *words, "--check"])

    def inspect(self, source: str, words: Sequence[str], task: Task) -> dict[str, Any]:
        """How stories are read, see `python -m trainer.corpus inspect`."""
        if not source:
            raise Refused("name the stories: a file, a folder, a data set of the Hub, or sample.")
        command = ["-m", "trainer.corpus", "inspect", source, "--json", *words]
        return last_object(task.call(command))

    def estimate(self, words: Sequence[str], task: Task) -> dict[str, Any]:
        """How long a run would take, by a few updates of it."""
        key = (*words, *self.stamps(words))
        if key not in self.estimates:
            command = [TRAIN, *words, "--run.dry_run", "--json"]
            self.estimates[key] = last_object(task.call(command))
            while len(self.estimates) > KEPT:
                del self.estimates[next(iter(self.estimates))]
        return self.estimates[key]

    def stamps(self, words: Sequence[str]) -> Key:
        """Return times and sizes of the named files, so that an answer about an older version is
        not used."""
        found: list[Any] = []
        for word in words:
            path = Path(word.partition("=")[2])
            if word.startswith("--corpus.") and path.is_absolute() and path.exists():
                about = path.stat()
                found += [about.st_mtime_ns, about.st_size]
        return tuple(found)


def ask(words: Sequence[str]) -> str:
    """Run `python WORDS` in the project's folder; return its output.

    Raises:
        Refused: it ends with an error.
    """
    try:
        done = subprocess.run(
            [sys.executable, *words],
            cwd=ROOT,
            env=environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        raise Refused("the trainer's command does not answer: try again.") from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        found = [error[1] for line in lines if (error := ERROR.match(line))]
        raise Refused((found or lines or ["the trainer's command failed"])[-1])
    return done.stdout.decode("utf-8", "replace")
