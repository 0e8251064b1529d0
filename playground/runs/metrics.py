"""Read a run's metrics.jsonl without reading all of it: the last lines, or lines for a curve.

A file of 100,000 lines has 20 MB, and the list of runs opens many such files. Damaged and
incomplete lines are skipped.
"""

from __future__ import annotations

import math
import mmap
import os
import re
from bisect import bisect_left
from functools import lru_cache
from pathlib import Path
from typing import Any

from playground.folder.json_file import json_object
from playground.runs.folder import open_plain

TAIL = 2**16  # bytes
TAIL_MAX = 2**20
WHOLE = 2**19  # bytes of the largest file whose lines are all read for a curve
LINE_MAX = 2**20
CURVES = 64  # cached
TRAIN = ("loss", "tokens_per_second", "lr", "mfu")
VALIDATION = {"loss": "validation_loss", "bits_per_byte": "validation_bits_per_byte"}
Line = dict[str, Any]


def parsed(text: bytes) -> Line | None:
    """Return the JSON object of a line; None if the line is damaged."""
    line = json_object(text)
    return line if line is not None and isinstance(line.get("step"), int) else None


def finite(value: Any) -> float | None:
    """Return the value if it is a finite number, else None: JSON has no NaN."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) else None


class Tail:
    """The last lines of a metrics file.

    Attributes:
        lines: the oldest first.
        time: of the last write to the file, in seconds since 1970; 0 if the file is missing.
    """

    def __init__(self, file: Path) -> None:
        self.lines: list[Line] = []
        self.time = 0.0
        try:
            with os.fdopen(open_plain(file), "rb") as stream:
                stat, size = os.fstat(stream.fileno()), TAIL
                self.time = stat.st_mtime
                while True:
                    stream.seek(max(0, stat.st_size - size))
                    texts = stream.read(size).split(b"\n")
                    if size < stat.st_size:
                        texts = texts[1:]  # begins in the middle of a line
                    lines = (parsed(text) for text in texts)
                    self.lines = [line for line in lines if line is not None]
                    if size >= min(stat.st_size, TAIL_MAX) or self.validation and self.train:
                        return
                    size *= 4
        except OSError:
            return

    @property
    def train(self) -> list[Line]:
        """Return the lines with a training loss."""
        return [line for line in self.lines if "loss" in line]

    @property
    def validation(self) -> Line | None:
        """Return the newest line with a validation loss."""
        return next((line for line in reversed(self.lines) if "validation_loss" in line), None)

    @property
    def samples(self) -> Line | None:
        """Return the newest line with sample stories."""
        return next((line for line in reversed(self.lines) if line.get("samples")), None)

    def newest(self, key: str) -> float | None:
        """Return the newest finite value of a key."""
        values = (finite(line.get(key)) for line in reversed(self.lines))
        return next((value for value in values if value is not None), None)

    def seconds_per_step(self, tokens_per_step: int | None) -> float | None:
        """Return the seconds per update, including validations and checkpoints; while there are
        too few lines, estimate them from the speed of updates alone."""
        timed = [line for line in self.train if finite(line.get("seconds")) is not None]
        if len(timed) > 1 and timed[-1]["step"] > timed[0]["step"]:
            seconds = timed[-1]["seconds"] - timed[0]["seconds"]
            return float(max(0.0, seconds) / (timed[-1]["step"] - timed[0]["step"]))
        speed = self.newest("tokens_per_second")
        return tokens_per_step / speed if tokens_per_step and speed else None


def curve(file: Path, points: int, tokens_per_step: int | None) -> dict[str, Any]:
    """Return the training and the validation curve, each with at most `points` entries. Curves are
    cached until their file changes."""
    try:
        stat = file.lstat()
    except OSError:
        return curve_of(file, points, tokens_per_step)
    return curve_of(file, points, tokens_per_step, stat.st_size, stat.st_mtime_ns, stat.st_ino)


@lru_cache(CURVES)
def curve_of(file: Path, points: int, tokens_per_step: int | None, *_: int) -> dict[str, Any]:
    """Return the result of `curve`; the last arguments only tell one state of the file from
    another."""
    train, validation = lines_of(file, points)
    return {
        "train": columns(train, tokens_per_step, {key: key for key in TRAIN}),
        "validation": columns(validation, tokens_per_step, VALIDATION),
    }


def columns(lines: list[Line], tokens_per_step: int | None, keys: dict[str, str]) -> dict[str, Any]:
    """Return a list of values per name; None where a line does not have the number."""
    common: dict[str, Any] = {
        "step": [line["step"] for line in lines],
        "tokens": [line["step"] * tokens_per_step if tokens_per_step else None for line in lines],
        "seconds": [finite(line.get("seconds")) for line in lines],
    }
    return common | {name: [finite(line.get(key)) for line in lines] for name, key in keys.items()}


def lines_of(file: Path, points: int) -> tuple[list[Line], list[Line]]:
    """Return lines of training and of validation, at most `points` of each."""
    try:
        handle = open_plain(file)
    except OSError:
        return [], []
    with os.fdopen(handle, "rb"):
        size = os.fstat(handle).st_size
        if not size:
            return [], []
        with mmap.mmap(handle, 0, access=mmap.ACCESS_READ) as content:
            if size > WHOLE:
                starts = line_starts(content, points)
            else:
                starts = [0, *(match.end() for match in re.finditer(b"\n", content))]
            lines = [line_at(content, start) for start in starts]
            places = (match.start() for match in re.finditer(b'"validation_loss"', content))
            validated = [line_at(content, content.rfind(b"\n", 0, at) + 1) for at in places]
    train = [line for line in lines if line is not None and "loss" in line]
    validation = [line for line in validated if line is not None and "validation_loss" in line]
    return thinned(train, points), thinned(validation, points)


def line_starts(content: mmap.mmap, points: int) -> list[int]:
    """Return the offsets of some lines, evenly over the file, with the first and the last ones."""
    starts = {0}
    for number in range(1, points + 1):
        end = content.find(b"\n", number * len(content) // (points + 1))
        if end >= 0:
            starts.add(end + 1)
    end = content.rfind(b"\n")
    for _ in range(3):  # the last line may be incomplete, or of a validation
        end = content.rfind(b"\n", 0, max(0, end))
        starts.add(end + 1)
    return sorted(starts)


def line_at(content: mmap.mmap, start: int) -> Line | None:
    """Return the line at an offset; None if it is damaged or incomplete."""
    end = content.find(b"\n", start, start + LINE_MAX)
    return parsed(content[start:end]) if end >= 0 else None


def thinned(lines: list[Line], points: int) -> list[Line]:
    """Return at most `points` lines, evenly over the steps, with the first and the last one."""
    lines = in_order(lines)
    if len(lines) <= points:
        return lines
    steps = [line["step"] for line in lines]
    span = steps[-1] - steps[0]
    targets = [steps[0] + span * number / (points - 1) for number in range(points)]
    chosen = {min(bisect_left(steps, step), len(lines) - 1) for step in targets}
    return [lines[index] for index in sorted(chosen)]


def in_order(lines: list[Line]) -> list[Line]:
    """Return the lines without those whose step does not increase, as in a damaged file."""
    kept: list[Line] = []
    for line in lines:
        if not kept or line["step"] > kept[-1]["step"]:
            kept.append(line)
    return kept
