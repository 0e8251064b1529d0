"""The folder of runs: which of its subfolders are runs, and the files that the app keeps in each.

The trainer owns a run folder. The app writes only into `.studio`, which the trainer never touches:

    launch.json      the process that the app started: {"pid", "time", "words", "log_start"}
    request.json     the request to the process: {"action": "pause" or "stop", "pid", "time"}
    lock             held by the process that the app started, until it ends
    log.txt          what the process printed
    model/step-N/    an export of a checkpoint, opened on the page Write
    files/           exports for download
    evaluation.json  the newest evaluation

A run's name cannot contain a path; symbolic links are not followed; large files are not read.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.folder.json_file import json_object
from playground.runs.errors import Missing, Refused

OWN = ".studio"
MARKER, STATE, METRICS, LOCK = "run.json", "state.json", "metrics.jsonl", ".run.lock"
CHECKPOINTS, SNAPSHOTS, EXPORT = "checkpoints", "snapshots", "export"
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
STEP = re.compile(r"step-(\d{8})")
JSON_MAX = 4 * 2**20  # bytes
MIN_FREE = 200 * 2**20  # bytes of disk that a run needs at least


def checked_name(name: Any, of: str = "a run") -> str:
    """Return a valid name `of` a run or a set of stories; Refused for any other value."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise Refused(
            f"{str(name)[:40]!r} cannot be the name of {of}: give 1 to 64 characters: "
            "letters, digits, dots, hyphens and underscores, the first of them a letter or a digit."
        )
    return name


class RunsFolder:
    """A folder of runs, which need not exist."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.expanduser().absolute()

    def names(self) -> list[str]:
        """Return the names of all runs."""
        return [path.name for path in subfolders(self.folder) if is_run(path)]

    def path(self, name: Any) -> Path:
        """Return the folder for a run of that name, existing or not; Refused for a bad name."""
        return self.folder / checked_name(name)

    def run(self, name: Any) -> Path:
        """Return the folder of a run.

        Raises:
            Missing: the run does not exist; symbolic links do not count.
        """
        path = self.folder / str(name)
        if not NAME.fullmatch(str(name)) or path.is_symlink() or not is_run(path):
            raise Missing(f"there is no run {str(name)[:64]!r} in {self.folder}.")
        return path


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """Return what is in a folder, sorted by name; nothing if it cannot be read."""
    try:
        return sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return []


def subfolders(folder: Path) -> list[Path]:
    """Return the folders in a folder that have a valid name and are not links, sorted by name."""
    return [
        Path(entry.path)
        for entry in entries_of(folder)
        if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
    ]


def is_run(folder: Path) -> bool:
    """Return whether the trainer has a run in a folder, or the app has just started a run there
    whose marker file is not written yet."""
    return (
        "inkling" in read_json(folder / MARKER)
        or bool(read_json(folder / OWN / "launch.json"))
        or any((path / "checkpoint.json").is_file() for path in steps(folder / CHECKPOINTS))
    )


def steps(folder: Path) -> list[Path]:
    """Return the folders of checkpoints or snapshots, the oldest first."""
    return [Path(entry.path) for entry in entries_of(folder) if STEP.fullmatch(entry.name)]


def step_of(path: Path) -> int:
    """Return the step of a checkpoint or a snapshot."""
    return int(path.name.removeprefix("step-"))


def open_plain(path: Path) -> int:
    """Return a handle to read a file; OSError for a symbolic link."""
    return os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0))


def read_json(path: Path) -> dict[str, Any]:
    """Return the JSON object in a file; {} if it is missing, damaged, too large or a link."""
    try:
        with os.fdopen(open_plain(path), "rb") as file:
            content = file.read(JSON_MAX + 1)
    except OSError:
        return {}
    return json_object(content) or {} if len(content) <= JSON_MAX else {}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(json.dumps(content, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(partial, path)


def own(folder: Path) -> Path:
    """Create the app's folder in a run's if necessary and return it; Refused for a link."""
    path = folder / OWN
    if path.is_symlink():
        raise Refused(f"{path} is a link, which is not followed: remove it.")
    path.mkdir(parents=True, exist_ok=True)
    return path


def sizes(folder: Path) -> Iterator[tuple[str, int]]:
    """Yield the name and the size in bytes of each plain file in a folder."""
    for entry in entries_of(folder):
        if entry.is_file(follow_symlinks=False) and not entry.name.endswith(".partial"):
            yield entry.name, entry.stat().st_size
