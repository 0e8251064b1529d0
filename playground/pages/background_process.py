"""Another process, of low priority, for what takes long and needs no model.

Drawing a picture in a thread would take Python's lock from the thread that owns the model, which
asks for it hundreds of times a token. In another process it takes only what is left of the
processor.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import TypeVar

NICE = 15  # of 19: the others come first

Result = TypeVar("Result")


class BackgroundProcess:
    """Calls functions in another process, one after the other. It starts with the first call, and
    ends with this process however that ends."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def call(self, function: Callable[..., Result], *arguments: object) -> Result:
        """What a module's function returns; waits for it.

        Raises:
            ValueError: as the function says.
            RuntimeError: the process was killed; the next call starts another one.
        """
        with self._lock:
            if self._connection is None:
                self._connection = self._start()
            try:
                self._connection.send((function, arguments))
                problem, result = self._connection.recv()
            except (EOFError, OSError):
                self._connection.close()
                self._connection = None
                raise RuntimeError("this could not be made: try again in a moment") from None
        if problem is not None:
            raise problem
        made: Result = result
        return made

    def _start(self) -> Connection:
        context = multiprocessing.get_context("spawn")  # a fork would copy the model's threads
        ours, theirs = context.Pipe()
        context.Process(target=serve, args=(theirs,), name="background", daemon=True).start()
        theirs.close()  # so that our end hears when the process is gone
        return ours

    def close(self) -> None:
        """End the process."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def serve(connection: Connection) -> None:
    """The other process: answers until nobody asks any more."""
    if hasattr(os, "nice"):
        os.nice(NICE)
    with contextlib.suppress(EOFError, OSError, KeyboardInterrupt):
        while True:
            function, arguments = connection.recv()
            answer: tuple[Exception | None, object]
            try:
                answer = (None, function(*arguments))
            except Exception as problem:
                answer = (problem, None)
            connection.send(answer)
