"""Printing where the terminal, or whoever reads the pipe, does not have every character."""

from __future__ import annotations

import sys


def print_every_character() -> None:
    """From now on, print a character that an output cannot hold as its code (`\\u65e5`).

    A Windows pipe has cp1252 and a container's C locale ASCII: without this, a story or the name of
    a file ends the command with a UnicodeEncodeError.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
