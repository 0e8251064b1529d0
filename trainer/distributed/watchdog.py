"""Ends this process, with one sentence, when another process of the run is lost.

A process that is killed closes its connections, and whoever waits for it gets an error at once. A
machine that is cut off says nothing: gloo waits out its own timeout, NCCL for a kernel that never
ends, until its own watch aborts the process with a C++ stack. So a thread counts the seconds since
this process last went to meet the others, and speaks before either does.
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
SPEAKING = threading.Lock()  # never released: the first to come speaks, and nobody after


class Watchdog:
    """Watches over the processes of a run; a run of one process needs no watching.

    Attributes:
        joined: every process is there.
        saved: the step of the newest checkpoint, 0 when there is none; the sentence names it.
        parted: the processes need each other no more; the main one alone judges and exports, for
            as long as it takes.
    """

    def __init__(self, num_processes: int, seconds: float) -> None:
        """Watch from now on: joining, too, must be done within `seconds`."""
        self.seconds, self.joined, self.saved, self.parted = seconds, False, 0, False
        self.meet()
        if num_processes > 1:
            threading.Thread(target=self.watch, daemon=True).start()

    def meet(self) -> None:
        """This process goes to meet the others."""
        self.met = time.monotonic()

    def watch(self) -> None:
        """Sleep until the last meeting is too long ago."""
        while (left := self.met + self.seconds - time.monotonic()) > 0:
            time.sleep(left)
        if self.parted:
            return
        end(f"no answer for {self.seconds:g} seconds, runtime.timeout", self.joined, self.saved)


def end(cause: str, joined: bool, saved: int) -> NoReturn:
    """Say that a process was lost, and end this one."""
    SPEAKING.acquire()
    what = "another process of the run was lost" if joined else "not every process joined the run"
    kept = f"the checkpoint of step {saved:,} is kept" if saved else "there is no checkpoint yet"
    print(
        f"\nerror: {what} ({cause}); {kept}: see that every machine is up and reaches the first, "
        "then give the same command on all of them to go on",
        file=sys.stderr,
        flush=True,
    )
    # Not sys.exit: the main thread may wait in C++ for ever, and the threads of gloo and NCCL hold
    # the interpreter at its exit, or abort it. All that matters is on disk.
    os._exit(EXIT_CODE)


def broken(error: Exception) -> str:
    """Which connection broke, without the C++ around it; empty if the error is of another kind."""
    if not isinstance(error, DistError) and "gloo" not in str(error):  # gloo's have no type
        return ""
    return re.sub(r"^\[\S+\] ", "", str(error).splitlines()[0]).partition(". ")[0]
