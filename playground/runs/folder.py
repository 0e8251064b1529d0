"""The runs folder: which folders in it are runs, under names that lead nowhere else.

A run folder is the trainer's. What the app keeps of a run is in `.studio` in it, which the trainer
leaves alone:

    launch.json      the process that the app started: {"pid", "time", "words", "log_start"}
    request.json     what was asked of the process: {"action": "pause" or "stop", "pid", "time"}
    lock             held by the process that the app started, for as long as it lives
    log.txt          what the process printed
    model/step-N/    an export of a checkpoint, to write with
    files/           exports in other forms, to download
    evaluation.json  the newest evaluation

Files are read without following symbolic links, and only up to a size.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.runs.errors import Missing, Refused

OWN = ".studio"
SIGN, STATE, METRICS, LOCK = "run.json", "state.json", "metrics.jsonl", ".run.lock"
CHECKPOINTS, SNAPSHOTS, EXPORT = "checkpoints", "snapshots", "export"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STEP = re.compile(r"step-(\d{8})")
JSON_MAX = 4 * 2**20  # bytes
ROOM = 200 * 2**20  # bytes that a run needs at least


def checked_name(name: Any) -> str:
    """The name of a run; Refused for anything else."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(
            f"{str(name)[:40]!r} cannot be the name of a run: give 1 to 64 characters: "
            "letters, digits, dots, hyphens and underscores, the first of them a letter or a digit."
        )
    return name


class RunsFolder:
    """A folder of runs; it need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()

    def names(self) -> list[str]:
        """Return the names of all runs."""
        try:
            entries = list(os.scandir(self.folder))
        except OSError:
            return []
        return sorted(
            entry.name
            for entry in entries
            if NAME.fullmatch(entry.name)
            and entry.is_dir(follow_symlinks=False)
            and is_run(Path(entry.path))
        )

    def path(self, name: Any) -> Path:
        """Return the folder of the run of that name, whether it exists or not; Refused for an
        invalid name."""
        return self.folder / checked_name(name)

    def run(self, name: Any) -> Path:
        """The folder of a run.

        Raises:
            Missing: there is no such run; a symbolic link is not one.
        """
        path = self.folder / str(name)
        if not NAME.fullmatch(str(name)) or path.is_symlink() or not is_run(path):
            raise Missing(f"there is no run {str(name)[:64]!r} in {self.folder}.")
        return path


def is_run(folder: Path) -> bool:
    """Return whether the trainer has a run in that folder, or the app started one there that has
    not written its marker file yet."""
    return (
        "inkling" in read_json(folder / SIGN)
        or bool(read_json(folder / OWN / "launch.json"))
        or any((path / "checkpoint.json").is_file() for path in steps(folder / CHECKPOINTS))
    )


def steps(folder: Path) -> list[Path]:
    """The folders of checkpoints or snapshots, the oldest first."""
    try:
        names = sorted(name for name in os.listdir(folder) if STEP.fullmatch(name))
    except OSError:
        return []
    return [folder / name for name in names]


def step_of(path: Path) -> int:
    """The step of a checkpoint or a snapshot."""
    return int(path.name.removeprefix("step-"))


def open_plain(path: Path) -> int:
    """A handle to read a plain file; OSError for a symbolic link and for everything else."""
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))
    return handle


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where it is missing, a link, or something too large."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            content = file.read(JSON_MAX + 1)
        found = json.loads(content) if len(content) <= JSON_MAX else {}
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Replace a file as a whole."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def own(folder: Path) -> Path:
    """The app's folder in a run's, made if it is not there; Refused for a link."""
    place = folder / OWN
    if place.is_symlink():
        raise Refused(f"{place} is a link, which is not followed: remove it.")
    place.mkdir(parents=True, exist_ok=True)
    return place


def sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Names and bytes of the plain files in a folder."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_file(follow_symlinks=False) and not entry.name.endswith(".partial"):
            yield entry.name, entry.stat().st_size
