"""A run's folder carries a sign of ours, and what is in a folder without it is left alone.

    run.json       {"format": 1, "inkling": version}: written before anything else of a run
    .run.lock      held by the process that trains

So `--run.dir .` in a folder where somebody keeps an `export/` of their own neither overwrites nor,
with `--run.fresh`, removes it. Runs of versions without the sign are known by their checkpoints.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

import trainer

SIGN = "run.json"
LOCK = ".run.lock"
SECONDS_TO_END = 2.0  # for a run that is just ending
FORMAT = 1
CHECKPOINTS, SNAPSHOTS, EXPORT = "checkpoints", "snapshots", "export"


def check(folder: Path) -> None:
    """Refuse a folder that holds something and is not a run's.

    Raises:
        ValueError: it names what was found there.
    """
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"run.dir {folder} is a file: give the run a folder of its own")
    if not folder.is_dir() or is_run(folder):
        return
    others = sorted(path.name for path in folder.iterdir() if not is_the_systems(path.name))
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        raise ValueError(
            f"run.dir {folder} is not the folder of a run and is not empty ({', '.join(others[:3])}"
            f"{more}): give the run a folder of its own; nothing there was touched"
        )


def is_the_systems(name: str) -> bool:
    """Whether a file is hidden or the file system's own, and so nobody's work."""
    return name.startswith(".") or name == "lost+found"


def is_run(folder: Path) -> bool:
    """Whether a run of ours wrote the folder."""
    if (folder / SIGN).is_file():
        try:
            sign = json.loads((folder / SIGN).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return False
        return isinstance(sign, dict) and "inkling" in sign
    checkpoints = folder / CHECKPOINTS
    return any(checkpoints.glob("step-????????/checkpoint.json"))


@contextlib.contextmanager
def claimed(folder: Path) -> Iterator[None]:
    """The folder made and its sign put there, and no other run in it until the end; it was checked
    before.

    Raises:
        ValueError: a run of another process is in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / LOCK, timeout=SECONDS_TO_END)
    try:
        lock.acquire()
    except Timeout:
        raise ValueError(
            f"another process trains in run.dir {folder}: wait until it has ended, or give "
            "this run another --run.dir"
        ) from None
    except NotImplementedError:  # a file system without locks: two runs are not told apart there
        pass
    try:
        sign(folder)
        yield
    finally:
        lock.release()


def sign(folder: Path) -> None:
    """Write the sign."""
    partial = folder / f"{SIGN}.partial"
    try:
        partial.write_text(json.dumps({"format": FORMAT, "inkling": trainer.__version__}) + "\n")
        os.replace(partial, folder / SIGN)
    except OSError:
        partial.unlink(missing_ok=True)
        raise


def clear(folder: Path, *files: str) -> None:
    """Remove what a run wrote: its folders, and some files by name."""
    for name in (CHECKPOINTS, SNAPSHOTS, EXPORT):
        shutil.rmtree(folder / name, ignore_errors=True)
    for name in files:
        (folder / name).unlink(missing_ok=True)
