"""The metrics of a run, read where it counts: the last lines from the end, a curve by offsets.

A file of 100,000 lines has 20 MB, and a list of runs opens many. A line that is damaged or half
written is skipped.
"""

from __future__ import annotations

import json
import math
import mmap
import os
from bisect import bisect_left
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playground.runs.folder import open_plain

TAIL = 2**16  # bytes
TAIL_MAX = 2**20
WHOLE = 2**19  # bytes of a file of which all lines are read for the curve
LINE_MAX = 2**20
TRAIN = ("loss", "tokens_per_second", "lr", "mfu")
VALIDATION = {"loss": "validation_loss", "bits_per_byte": "validation_bits_per_byte"}
Line = dict[str, Any]


def parsed(text: bytes) -> Line | None:
    """A line of metrics; None if it is damaged."""
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) and isinstance(line.get("step"), int) else None


def finite(value: Any) -> float | None:
    """A number that JSON can hold, else None."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


class Tail:
    """The last lines of a metrics file.

    Attributes:
        lines: the oldest first.
        time: when the file was written to, in seconds since 1970; 0 where it is missing.
    """

    def __init__(self, file: Path) -> None:
        self.lines: list[Line] = []
        self.time = 0.0
        try:
            with os.fdopen(open_plain(file), "rb") as stream:
                about, size = os.fstat(stream.fileno()), TAIL
                self.time = about.st_mtime
                while True:
                    stream.seek(max(0, about.st_size - size))
                    texts = stream.read(size).split(b"\n")
                    if size < about.st_size:
                        texts = texts[1:]  # its start was cut off
                    found = (parsed(text) for text in texts)
                    self.lines = [line for line in found if line is not None]
                    if size >= min(about.st_size, TAIL_MAX) or self.validation and self.train:
                        return
                    size *= 4
        except OSError:
            return

    @property
    def train(self) -> list[Line]:
        """The lines with a training loss."""
        return [line for line in self.lines if "loss" in line]

    @property
    def validation(self) -> Line | None:
        """The newest one with a validation loss."""
        found = (line for line in reversed(self.lines) if "validation_loss" in line)
        return next(found, None)

    @property
    def samples(self) -> Line | None:
        """The newest one with samples."""
        return next((line for line in reversed(self.lines) if line.get("samples")), None)

    def newest(self, key: str) -> float | None:
        """The newest value of a key."""
        found = (finite(line.get(key)) for line in reversed(self.lines))
        return next((value for value in found if value is not None), None)

    def seconds_per_step(self, tokens_per_step: int | None) -> float | None:
        """Seconds per update, with the validations and checkpoints between; from the speed of
        updates alone while there are too few lines."""
        timed = [line for line in self.train if finite(line.get("seconds")) is not None]
        if len(timed) > 1 and timed[-1]["step"] > timed[0]["step"]:
            seconds = timed[-1]["seconds"] - timed[0]["seconds"]
            return float(max(0.0, seconds) / (timed[-1]["step"] - timed[0]["step"]))
        speed = self.newest("tokens_per_second")
        return tokens_per_step / speed if tokens_per_step and speed else None


def curve(file: Path, points: int, tokens_per_step: int | None) -> dict[str, Any]:
    """Training and validation losses over the run, `points` entries of each at most."""
    train, validation = lines_of(file, points)
    return {
        "train": columns(train, tokens_per_step, {key: key for key in TRAIN}),
        "validation": columns(validation, tokens_per_step, VALIDATION),
    }


def columns(lines: list[Line], tokens_per_step: int | None, keys: dict[str, str]) -> dict[str, Any]:
    """Values by name, a list each; None where a line has no such number."""
    found: dict[str, Any] = {
        "step": [line["step"] for line in lines],
        "tokens": [line["step"] * tokens_per_step if tokens_per_step else None for line in lines],
        "seconds": [finite(line.get("seconds")) for line in lines],
    }
    return found | {name: [finite(line.get(key)) for line in lines] for name, key in keys.items()}


def lines_of(file: Path, points: int) -> tuple[list[Line], list[Line]]:
    """Lines of training and of validation, thinned evenly."""
    try:
        handle = open_plain(file)
    except OSError:
        return [], []
    with os.fdopen(handle, "rb"):
        size = os.fstat(handle).st_size
        if not size:
            return [], []
        with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as content:
            starts = line_starts(content, points) if size > WHOLE else all_starts(content)
            train = [
                line
                for line in (line_at(content, start) for start in starts)
                if line is not None and "loss" in line
            ]
            found = [line_at(content, start) for start in validation_starts(content)]
    validation = [line for line in found if line is not None and "validation_loss" in line]
    return thinned(train, points), thinned(validation, points)


def all_starts(content: mmap.mmap) -> Iterator[int]:
    """Where each line begins."""
    start = 0
    while start < len(content):
        yield start
        end = content.find(b"\n", start)
        start = len(content) if end < 0 else end + 1


def line_starts(content: mmap.mmap, points: int) -> list[int]:
    """Where some lines begin, evenly over the file, the first and the last ones among them."""
    found = {0}
    for number in range(1, points + 1):
        end = content.find(b"\n", number * len(content) // (points + 1))
        if end >= 0:
            found.add(end + 1)
    end = content.rfind(b"\n")
    for _ in range(3):  # the last line may be half written, or of a validation
        end = content.rfind(b"\n", 0, max(0, end))
        found.add(end + 1)
    return sorted(found)


def validation_starts(content: mmap.mmap) -> Iterator[int]:
    """Where the lines with a validation loss begin."""
    position = content.find(b'"validation_loss"')
    while position >= 0:
        yield content.rfind(b"\n", 0, position) + 1
        end = content.find(b"\n", position)
        position = content.find(b'"validation_loss"', end) if end >= 0 else -1


def line_at(content: mmap.mmap, start: int) -> Line | None:
    """The line that begins there; None if it is damaged, or has no end yet."""
    end = content.find(b"\n", start, start + LINE_MAX)
    return parsed(content[start:end]) if end >= 0 else None


def thinned(lines: list[Line], points: int) -> list[Line]:
    """At most so many lines, evenly over the steps, the first and the last among them."""
    lines = in_order(lines)
    if len(lines) <= points:
        return lines
    steps = [line["step"] for line in lines]
    span = steps[-1] - steps[0]
    wanted = [steps[0] + span * number / (points - 1) for number in range(points)]
    chosen = {min(bisect_left(steps, step), len(lines) - 1) for step in wanted}
    return [lines[index] for index in sorted(chosen)]


def in_order(lines: list[Line]) -> list[Line]:
    """Lines of rising steps: what a damaged file repeats is left out."""
    found: list[Line] = []
    for line in lines:
        if not found or line["step"] > found[-1]["step"]:
            found.append(line)
    return found


class Curves:
    """Curves that were read, for as long as their files stay as they are."""

    KEPT = 64

    def __init__(self) -> None:
        self.found: dict[tuple[Path, int], tuple[tuple[int, int, int], dict[str, Any]]] = {}

    def get(self, file: Path, points: int, tokens_per_step: int | None) -> dict[str, Any]:
        """See `curve`."""
        try:
            about = file.lstat()
            stamp = about.st_size, about.st_mtime_ns, about.st_ino
        except OSError:
            return curve(file, points, tokens_per_step)
        kept = self.found.pop((file, points), None)
        if kept is None or kept[0] != stamp:
            kept = stamp, curve(file, points, tokens_per_step)
        self.found[file, points] = kept  # the newest at the end
        while len(self.found) > self.KEPT:
            del self.found[next(iter(self.found))]
        return kept[1]
