"""Ends this process, with one message, when another process of the run is lost.

A process that is killed closes its connections, and those that wait for it get an error at once. A
machine that is cut off says nothing: gloo waits out its own timeout, NCCL for a kernel that never
ends, until its own watch aborts the process with a C++ stack. So a thread counts the seconds since
this process last began an exchange with the others, and speaks before either does.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from typing import NoReturn

from torch.distributed import DistError

EXIT_CODE = 1
GRACE = 60  # seconds by which the group's own timeout is longer, so that only one of them speaks
ABORTING = threading.Lock()  # never released: the first thread prints and ends, no other does


class Watchdog:
    """Watches over the processes of a run; a run of one process needs no watching.

    Attributes:
        is_initialized: every process has joined.
        checkpoint_step: the step of the newest checkpoint, for the message; 0 without one.
        is_finished: the processes need each other no more. The main one alone evaluates and
            exports, for as long as it takes.
    """

    def __init__(self, num_processes: int, seconds: float) -> None:
        """Watch from now on: initialization, too, must be done within `seconds`."""
        self.is_initialized = self.is_finished = False
        self.checkpoint_step = 0
        self._seconds = seconds
        self.heartbeat()
        if num_processes > 1:
            threading.Thread(target=self._watch, daemon=True).start()

    def heartbeat(self) -> None:
        """Note that this process begins an exchange with the others."""
        self._last_heartbeat = time.monotonic()

    def _watch(self) -> None:
        """Sleep until the last heartbeat is too long ago."""
        while (left := self._last_heartbeat + self._seconds - time.monotonic()) > 0:
            time.sleep(left)
        if not self.is_finished:
            cause = f"no answer for {self._seconds:g} seconds, runtime.timeout"
            abort(cause, self.is_initialized, self.checkpoint_step)


def abort(cause: str, is_initialized: bool, checkpoint_step: int) -> NoReturn:
    """Say that a process was lost, and end this one."""
    ABORTING.acquire()
    what = "not every process joined the run"
    if is_initialized:
        what = "another process of the run was lost"
    kept = "there is no checkpoint yet"
    if checkpoint_step:
        kept = f"the checkpoint of step {checkpoint_step:,} is kept"
    print(
        f"\nerror: {what} ({cause}); {kept}: see that every machine is up and reaches the first, "
        "then give the same command on all of them to resume",
        file=sys.stderr,
        flush=True,
    )
    # Not sys.exit: the main thread may wait in C++ for ever, and the threads of gloo and NCCL hold
    # the interpreter at its exit, or abort it. All that matters is on disk.
    os._exit(EXIT_CODE)


def lost_connection(error: Exception) -> str:
    """Return which connection broke, without the C++ around it; empty for an error of another
    kind."""
    if not isinstance(error, DistError) and "gloo" not in str(error):  # gloo's have no type
        return ""
    return re.sub(r"^\[\S+\] ", "", str(error).splitlines()[0]).partition(". ")[0]
