"""File locks, which tell whether a training process is alive, even after a restart of the app.

The trainer holds `.run.lock` of its run folder, which names its process. The app also gives each
process that it starts a lock file: the process inherits the open file, so the system releases the
lock exactly when the process ends, even by kill -9.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

HOLDER = re.compile(r"process (\d+) on (\S+),")  # as trainer/storage/lock.py writes it


def is_held(file: Path) -> bool:
    """Return whether a process holds the lock of a file."""
    try:
        handle = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return not acquire(handle, shared=True)
    finally:
        os.close(handle)


def acquire(handle: int, *, shared: bool = False) -> bool:
    """Try to lock an open file; return whether the lock was free. A check takes a `shared` lock, so
    that simultaneous checks do not mistake each other for a holder."""
    try:
        if fcntl is not None:
            fcntl.flock(handle, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        else:
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
    except OSError:
        return False
    return True


def holder(file: Path) -> int | None:
    """Return the id of the process on this machine that holds the lock of a run, as the file names
    it; None if the lock is free or held on another machine."""
    if not is_held(file):
        return None
    try:
        match = HOLDER.match(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return int(match[1]) if match and match[2] == socket.gethostname() else None


@contextlib.contextmanager
def held(file: Path, seconds: float) -> Iterator[int | None]:
    """Hold the lock of a file, created if necessary. Yields the file's handle, which a child
    process can inherit, or None if another process keeps the lock for `seconds`."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    deadline = time.monotonic() + seconds
    try:
        while not (is_ours := acquire(handle)) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield handle if is_ours else None
    finally:
        os.close(handle)
