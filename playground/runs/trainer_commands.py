"""Ask the trainer's commands about a run before it starts: the settings, how stories are read, and
how long the run would take on this machine.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from playground.runs.errors import Refused
from playground.runs.log import ERROR
from playground.runs.tasks import Task, last_object
from playground.runs.training import ROOT, TRAIN, environment

SECONDS = 60.0  # for a command that only reads settings
MAX_ESTIMATES = 32  # kept
estimates: dict[tuple[Any, ...], dict[str, Any]] = {}  # by settings and the files that they name


@cache
def settings() -> dict[str, Any]:
    """Return all settings with their meaning, and the presets with their values."""
    return last_object(output_of([TRAIN, "--help", "--json"]))


def check(words: Sequence[str]) -> None:
    """Raise Refused for settings that the trainer would refuse."""
    output_of([TRAIN, *words, "--check"])


def inspect(source: str, words: Sequence[str], task: Task) -> dict[str, Any]:
    """Return the result of `python -m trainer.corpus inspect`."""
    if not source:
        raise Refused("name the stories: a file, a folder, a data set of the Hub, or sample.")
    return last_object(task.call(["-m", "trainer.corpus", "inspect", source, "--json", *words]))


def estimate(words: Sequence[str], task: Task) -> dict[str, Any]:
    """Return how long a run would take, measured by a dry run of a few updates."""
    key = (*words, *stamps(words))
    if key not in estimates:
        estimates[key] = last_object(task.call([TRAIN, *words, "--run.dry_run", "--json"]))
        while len(estimates) > MAX_ESTIMATES:
            del estimates[next(iter(estimates))]
    return estimates[key]


def stamps(words: Sequence[str]) -> Iterator[int]:
    """Yield times and sizes of the files that the settings name, which tell whether an estimate is
    still true."""
    for word in words:
        path = Path(word.partition("=")[2])
        if word.startswith("--corpus.") and path.is_absolute() and path.exists():
            stat = path.stat()
            yield from (stat.st_mtime_ns, stat.st_size)


def output_of(words: Sequence[str]) -> str:
    """Run `python WORDS` in the project's folder and return its output.

    Raises:
        Refused: the command fails or takes too long.
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
        raise Refused(
            f"the trainer's command took longer than {SECONDS:.0f} seconds: try again."
        ) from None
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines()
        errors = [match[1] for line in lines if (match := ERROR.match(line))]
        raise Refused((errors or lines or ["the trainer's command failed"])[-1])
    return done.stdout.decode("utf-8", "replace")
