"""Locks on files: who holds one is alive, however it was started and whatever became of the app.

The trainer holds `.run.lock` of its run folder, which names its process. The app gives each process
that it starts a lock of its own: the process inherits the open file, so the system frees the lock
when the process ends, by itself or by kill -9, and never before.
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
    """Whether another process holds the lock of a file."""
    try:
        handle = os.open(file, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
    except OSError:
        return False
    try:
        return not taken(handle, shared=True)
    finally:
        os.close(handle)


def taken(handle: int, *, shared: bool = False) -> bool:
    """Take the lock of an open file, if it is free; whether it was. Who only looks shares it, so
    that several who look do not see each other."""
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
    """The process on this machine that holds the lock of a run, by the file's text; None if nobody
    does, or somebody on another machine."""
    if not is_held(file):
        return None
    try:
        found = HOLDER.match(file.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return None
    return int(found[1]) if found and found[2] == socket.gethostname() else None


@contextlib.contextmanager
def held(file: Path, seconds: float) -> Iterator[int | None]:
    """Hold the lock of a file, which is made if it is not there: its handle, to give to a process
    that is to hold it too; None where somebody else holds it for so many seconds."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    deadline = time.monotonic() + seconds
    try:
        while not (is_taken := taken(handle)) and time.monotonic() < deadline:
            time.sleep(0.02)
        yield handle if is_taken else None
    finally:
        os.close(handle)
