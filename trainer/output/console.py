"""Printing where the terminal, or whoever reads the pipe, does not have every character."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable


def print_every_character() -> None:
    """From now on, print a character that an output cannot hold as its code (`\\u65e5`).

    A Windows pipe has cp1252 and a container's C locale ASCII: without this, a story or the name of
    a file ends the command with a UnicodeEncodeError.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def say_once(sentences: Iterable[str]) -> None:
    """Print sentences on standard error, in the first of several processes."""
    if os.environ.get("RANK", "0") in ("", "0"):
        for sentence in sentences:
            print(sentence, file=sys.stderr, flush=True)


def run_command(work: Callable[[], object], stopped: str = "stopped") -> int:
    """Run a command and return its exit status: 0 when it is done, 2 with one message when it
    cannot be, 130 with `stopped` when it was interrupted."""
    print_every_character()
    try:
        work()
    except (ValueError, OSError, ImportError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print(stopped, file=sys.stderr)
        return 130
    return 0
