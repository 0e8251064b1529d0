"""What the process of a run printed, without its progress bars."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from playground.runs.folder import open_plain

LAST = 2**16  # bytes that are looked at
LINES = 40
BAR = re.compile(r"\d+%\||^\s*$")
ERROR = re.compile(r"^(?:\S*: )?error: (.*)")
TRACEBACK = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.*)")
NOT_INSTALLED = re.compile(r"No module named '([\w.]+)'")


def text_of(log: Path, start: int = 0) -> str:
    """The end of a log, from `start` on at most."""
    try:
        with os.fdopen(open_plain(log), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(start, size - LAST, 0))
            return file.read(LAST).decode("utf-8", "replace")
    except OSError:
        return ""


def lines_of(log: Path, start: int = 0) -> list[str]:
    """The last lines of a log."""
    pieces = re.split(r"[\r\n]+", text_of(log, start))
    return [piece.rstrip() for piece in pieces if not BAR.search(piece)][-LINES:]


def ending(log: Path, start: Any) -> str:
    """The error with which a process ended; empty if it printed none."""
    for line in reversed(lines_of(log, start if isinstance(start, int) else 0)):
        if found := ERROR.match(line):
            return found[1]
        if found := TRACEBACK.match(line):
            if missing := NOT_INSTALLED.search(line):
                return (
                    f"the package {missing[1]}, which training needs, is not installed: run "
                    "`make train` once, or pip install -e '.[train]'"
                )
            return f"{found[1]}: {found[2]}"
    return ""
