"""The log of a run's process, without progress bars."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from playground.runs.folder import open_plain

TAIL = 2**16  # bytes that are read, from the end
LINES = 40
BAR = re.compile(r"\d+%\||^\s*$")
ERROR = re.compile(r"^(?:\S*: )?error: (.*)")
TRACEBACK = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.*)")
NOT_INSTALLED = re.compile(r"No module named '([\w.]+)'")


def text_of(log: Path, start: int = 0) -> str:
    """Return the last TAIL bytes of a log, of those after `start`."""
    try:
        with os.fdopen(open_plain(log), "rb") as file:
            size = os.fstat(file.fileno()).st_size
            file.seek(max(start, size - TAIL, 0))
            return file.read(TAIL).decode("utf-8", "replace")
    except OSError:
        return ""


def lines_of(log: Path, start: int = 0) -> list[str]:
    """Return the last LINES lines of a log that are not a progress bar."""
    lines = re.split(r"[\r\n]+", text_of(log, start))
    return [line.rstrip() for line in lines if not BAR.search(line)][-LINES:]


def last_error(log: Path, start: Any) -> str:
    """Return the last error message in a log, or ""."""
    for line in reversed(lines_of(log, start if isinstance(start, int) else 0)):
        if match := ERROR.match(line):
            return match[1]
        if match := TRACEBACK.match(line):
            if missing := NOT_INSTALLED.search(line):
                return (
                    f"the package {missing[1]}, which training needs, is not installed: run "
                    "`make train` once, or pip install -e '.[train]'"
                )
            return f"{match[1]}: {match[2]}"
    return ""
