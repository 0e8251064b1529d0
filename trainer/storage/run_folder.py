"""The folder of a run: its marker file and its lock. Folders without the marker are not touched.

    run.json       {"format": 1, "inkling": version, "id": of the run, also in its checkpoints}:
                   the first file that a run writes
    .run.lock      held by the training process, whose name it contains

So `--run.dir .` in a folder with somebody's own `export/` does not overwrite it, nor does
`--run.fresh` remove it. Runs of versions without the marker are recognized by their checkpoints.

`checkpoints`, `snapshots` and `export` can be symbolic links, for example to a larger disk.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import trainer
from trainer.storage import checkpoint
from trainer.storage.atomic import atomic_file, is_writable, tidy
from trainer.storage.lock import Lock

MARKER = "run.json"
LOCK = ".run.lock"
SECONDS_TO_END = 2.0  # time for another process of the run to end
FORMAT = 1
CHECKPOINTS, SNAPSHOTS, EXPORT = "checkpoints", "snapshots", "export"
STEPS = "step-????????"  # the directories in the first two
MARK = "training.json"  # a file that every export has


def check(folder: Path) -> None:
    """Raise ValueError for a non-empty folder that is not a run's, or that has a broken link."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"run.dir {folder} is a file: give the run a folder of its own")
    for name in (CHECKPOINTS, SNAPSHOTS, EXPORT):
        place = folder / name
        if place.is_symlink() and not place.exists():
            raise ValueError(
                f"{place} is a link to {os.readlink(place)}, which does not exist: mount that "
                "disk, create that folder, or remove the link"
            )
    export = folder / EXPORT
    if export.is_symlink() and any(export.iterdir()) and not (export / MARK).is_file():
        raise ValueError(
            f"{export} is a link to {os.readlink(export)}, which is not empty and not an export: "
            "it would be replaced; link to an empty folder, or remove the link"
        )
    if not folder.is_dir() or is_run(folder):
        return
    names = sorted(path.name for path in folder.iterdir())  # hidden files do not count
    others = [name for name in names if not name.startswith(".") and name != "lost+found"]
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise ValueError(
            f"run.dir {folder} is not the folder of a run and is not empty ({', '.join(others[:3])}"
            f"{more}): give the run a folder of its own; nothing there was touched"
        )


def is_run(folder: Path) -> bool:
    """Return whether a folder is that of a run."""
    return "inkling" in read_marker(folder) or any(
        (path / checkpoint.ABOUT).is_file() for path in checkpoint.paths(folder / CHECKPOINTS)
    )


def read_marker(folder: Path) -> dict[str, Any]:
    """Return the content of run.json; {} if it is missing or damaged. Raises PermissionError if it
    may not be read."""
    try:
        content = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except PermissionError:
        raise
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


@contextlib.contextmanager
def run_lock(folder: Path) -> Iterator[None]:
    """Create the folder and its marker file, lock it until the block ends, and remove partial files
    of a killed run. Call `check` before. Raises ValueError if another process has the lock, or this
    user may not write there."""
    folder.mkdir(parents=True, exist_ok=True)
    for place in (folder, folder / CHECKPOINTS, folder / SNAPSHOTS):
        if place.exists() and not is_writable(place):
            raise ValueError(
                f"no permission to write to {place}: ask its owner for it (chmod -R g+w), or copy "
                "the run's folder and name the copy with --run.dir"
            )
    lock = Lock(folder / LOCK)
    if not lock.acquire(SECONDS_TO_END):
        raise ValueError(
            f"another process{lock.holder()} trains in run.dir {folder}: wait until it has ended, "
            f"or give this run another --run.dir; if its machine died, delete {folder / LOCK}"
        )
    try:
        for name in (CHECKPOINTS, SNAPSHOTS):
            tidy(folder / name, STEPS)
        export = (folder / EXPORT).resolve()
        tidy(export.parent, glob.escape(export.name))
        if "id" not in read_marker(folder):
            write_marker(folder, checkpoint.newest_run(folder / CHECKPOINTS))
        yield
    finally:
        lock.release()


def write_marker(folder: Path, run: str = "") -> None:
    """Write the marker file of a run with an id, or with a new one if it is empty."""
    content = {"format": FORMAT, "inkling": trainer.__version__, "id": run or uuid.uuid4().hex}
    with atomic_file(folder / MARKER) as partial:
        partial.write_text(json.dumps(content) + "\n", encoding="utf-8")


def run_of(folder: Path) -> str:
    """Return the id of the run in a folder."""
    return str(read_marker(folder).get("id", ""))


def clear(folder: Path, *files: str) -> None:
    """Remove a run's folders, also through links, and some files by name, and mark the folder as a
    new run. Raises ValueError if a file cannot be removed, or another run has checkpoints there."""
    run = run_of(folder)
    checkpoints = checkpoint.paths(folder / CHECKPOINTS)
    own = [path for path in checkpoints if checkpoint.belongs(path, run)]
    if foreign := [path for path in checkpoints if path not in own]:
        raise ValueError(
            f"{foreign[-1]} is a checkpoint of another run, which --run.fresh does not remove: "
            "move it elsewhere, or give another --run.dir; nothing was removed"
        )
    try:
        for path in [*own, *(folder / SNAPSHOTS).glob(STEPS)]:
            shutil.rmtree(path)
        for name in (CHECKPOINTS, SNAPSHOTS):
            if not (folder / name).is_symlink():  # a link's target may have files of others
                remove(folder / name)
        remove(folder / EXPORT)
        for name in files:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        raise ValueError(
            f"--run.fresh cannot remove {error.filename} ({error.strerror}): remove it by hand, or "
            "give another --run.dir"
        ) from None
    write_marker(folder)


def remove(folder: Path) -> None:
    """Remove a directory if it exists; the target of a link is emptied, and the link stays."""
    if folder.exists():
        shutil.rmtree(folder.resolve())
    if folder.is_symlink():
        folder.resolve().mkdir()
