"""A file lock for one process at a time, with the name of its holder in the file.

The system releases the lock however its holder ends, but a network disk may keep the lock of a
machine that crashed. On disks without locks a note is printed, and nobody is locked out.
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
        """Create the file if necessary. Raises OSError if it cannot be created."""
        self.file = file
        self.has_locks = has_locks(file)
        if not self.has_locks:
            to_stderr(
                f"note: the disk of {file.parent} has no locks: do not let another process work "
                "there at the same time"
            )
        self.lock = FileLock(file)

    def acquire(self, timeout: float = -1) -> bool:
        """Try to take the lock for `timeout` seconds (-1: no limit); return whether it worked."""
        if not self.has_locks:
            return True
        try:
            self.lock.acquire(timeout=timeout)
        except Timeout:
            return False
        since = datetime.now().isoformat(" ", "minutes")
        name = f"process {os.getpid()} on {socket.gethostname()}, since {since}"
        with contextlib.suppress(OSError):  # on Windows a locked file cannot be written
            self.file.write_text(name, encoding="utf-8")
        return True

    def holder(self) -> str:
        """Return the holder's name in brackets after a space, for messages; "" if unknown."""
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
    except ImportError:  # on Windows, disks have locks
        pass
    finally:
        os.close(handle)
    return True
