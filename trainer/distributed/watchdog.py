"""End this process, with one message, when another process of the run is lost.

A killed process closes its connections, and the processes that wait for it get an error at once. A
machine that is cut off sends nothing: gloo waits for its timeout, NCCL for a kernel that never
ends, until its watchdog aborts the process with a C++ stack. So a thread counts the seconds since
this process last began to communicate, and ends the process before gloo or NCCL does."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from typing import NoReturn

from torch.distributed import DistError

EXIT_CODE = 1
GRACE = 60  # seconds by which the group's own timeout is longer, so that there is one message
ABORTING = threading.Lock()  # never released: only the first thread prints and ends


class Watchdog:
    """Watches the processes of a run; a run of one process needs none.

    Attributes:
        is_initialized: whether every process has joined.
        checkpoint_step: the step of the newest checkpoint, for the message; 0 without one.
        is_finished: whether communication has ended; the main process evaluates and exports
            without a time limit.
    """

    def __init__(self, num_processes: int, seconds: float) -> None:
        """Start watching: initialization, too, must end within `seconds`."""
        self.is_initialized = self.is_finished = False
        self.checkpoint_step = 0
        self._seconds = seconds
        self.heartbeat()
        if num_processes > 1:
            threading.Thread(target=self._watch, daemon=True).start()

    def heartbeat(self) -> None:
        """Note that this process begins to communicate."""
        self._last_heartbeat = time.monotonic()

    def _watch(self) -> None:
        """Sleep until the last heartbeat is too long ago."""
        while (left := self._last_heartbeat + self._seconds - time.monotonic()) > 0:
            time.sleep(left)
        if not self.is_finished:
            cause = f"no answer for {self._seconds:g} seconds, runtime.timeout"
            abort(cause, self.is_initialized, self.checkpoint_step)


def abort(cause: str, is_initialized: bool, checkpoint_step: int) -> NoReturn:
    """Print that a process was lost, and end this process."""
    ABORTING.acquire()
    event = "not every process joined the run"
    if is_initialized:
        event = "another process of the run was lost"
    saved = "there is no checkpoint yet"
    if checkpoint_step:
        saved = f"the checkpoint of step {checkpoint_step:,} is kept"
    print(
        f"\nerror: {event} ({cause}); {saved}: see that every machine is up and reaches the first, "
        "then give the same command on all of them to resume",
        file=sys.stderr,
        flush=True,
    )
    # Not sys.exit: the main thread may wait in C++ for ever, and threads of gloo and NCCL block or
    # abort the interpreter's exit. Everything needed is on disk.
    os._exit(EXIT_CODE)


def lost_connection(error: Exception) -> str:
    """Return the message of a broken connection, without its C++ stack; empty for an error of
    another kind."""
    if not isinstance(error, DistError) and "gloo" not in str(error):  # gloo's errors have no type
        return ""
    return re.sub(r"^\[\S+\] ", "", str(error).splitlines()[0]).partition(". ")[0]
