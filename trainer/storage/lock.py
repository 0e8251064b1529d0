"""A lock that one process holds at a time, with the name of its holder in the file.

The system frees it however its holder ends, but a network's disk may keep that of a machine that
died. Some disks have no locks at all: then nobody is kept out, and a note says so once.
"""

from __future__ import annotations

import contextlib
import errno
import os
import socket
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from trainer.output.console import to_stderr

WITHOUT_LOCKS = {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP, errno.ENOSYS}


class Lock:
    """The lock of one file."""

    def __init__(self, file: Path) -> None:
        """Make the file, if it is not there, with the permissions that the umask gives. Raises
        OSError if it cannot be made."""
        self.file = file
        self.has_locks = has_locks(file)
        if not self.has_locks:
            to_stderr(
                f"note: the disk of {file.parent} has no locks: see that no other process works "
                "there at the same time"
            )
        self.lock = FileLock(file)

    def acquire(self, timeout: float = -1) -> bool:
        """Take the lock within `timeout` seconds (-1: any time); return whether it was taken."""
        if not self.has_locks:
            return True
        try:
            self.lock.acquire(timeout=timeout)
        except Timeout:
            return False
        since = datetime.now().isoformat(" ", "minutes")
        name = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
        with contextlib.suppress(OSError):  # Windows lets nobody write to a locked file
            self.file.write_text(name, encoding="utf-8")
        return True

    def holder(self) -> str:
        """Return the name of the lock's holder, in brackets after a space; empty if the file does
        not say."""
        try:
            name = self.file.read_text(encoding="utf-8").strip()
        except (OSError, ValueError):
            return ""
        return f" ({name})" if name else ""

    def release(self) -> None:
        """Release the lock, if it was taken."""
        self.lock.release()


def has_locks(file: Path) -> bool:
    """Return whether the disk of a file, which is created, has locks."""
    handle = os.open(file, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        import fcntl

        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in WITHOUT_LOCKS
    except ImportError:  # Windows, whose disks have them
        pass
    finally:
        os.close(handle)
    return True
