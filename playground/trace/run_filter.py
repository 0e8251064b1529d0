"""Finds the 8-word runs of a story in a filter of the training stories, which is published with a
model in place of the stories.

`python -m trainer.corpus index STORE --filter FILE` makes the file; docs/trace.md specifies it, and
web/trace/run_filter.js reads it in the same way. A filter says whether a run stands in the training
stories, but not where. Its first line says which runs it misses and how many it marks by mistake.
"""

from __future__ import annotations

import gzip
import json
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from playground.trace.copied import Run, Trace, copied_words, word_spans

FILE = "training_runs.filter"  # in a model's folder
FORMAT = 1
MASK = 2**64 - 1
FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
MURMUR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53


class RunFilter:
    """An open filter.

    Attributes:
        about: the values of its first line.
        hashes: the sorted hashes of the runs, (n,) uint32.
    """

    def __init__(self, file: Path) -> None:
        """Read a filter.

        Raises:
            ValueError: it is missing, damaged, or of another format.
        """
        again = "copy it again, or make it with python -m trainer.corpus index STORE --filter FILE"
        try:
            line, _, planes = gzip.decompress(file.read_bytes()).partition(b"\n")
            self.about = json.loads(line)
            if self.about["format"] != FORMAT:
                raise ValueError
            rows = np.frombuffer(planes, np.uint8).reshape(4, self.about["hashes"])
        except FileNotFoundError:
            raise ValueError(f"{file} is missing: {again}.") from None
        except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError):
            raise ValueError(f"{file} is not a filter of runs that can be read: {again}.") from None
        differences = np.ascontiguousarray(rows.T).view("<u4")[:, 0]
        self.hashes: np.ndarray = np.cumsum(differences, dtype=np.uint32)

    def trace(self, text: str, sources: int) -> Trace:
        """Return the copied runs of a text; a filter does not know `sources`."""
        spans, size = word_spans(text), int(self.about["words"])
        hashes = run_hashes([text[start:end].lower() for start, end in spans], size)
        places = np.searchsorted(self.hashes, hashes)
        hits = np.flatnonzero(self.hashes[np.minimum(places, len(self.hashes) - 1)] == hashes)
        merged: list[list[int]] = []  # [first word, the one after the last]
        for hit in hits.tolist():
            if merged and hit < merged[-1][1]:
                merged[-1][1] = hit + size
            else:
                merged.append([hit, hit + size])
        runs = [Run(spans[first][0], spans[end - 1][1], end - first) for first, end in merged]
        about = self.about
        return Trace(
            text,
            tuple(runs),
            len(spans),
            copied_words(runs, spans),
            about["corpus"],
            about["held_out"],
            size + about["stride"] - 1,
            about["false_positives"],
        )


def run_hashes(words: list[str], size: int) -> np.ndarray:
    """Return the hash of each run of `size` words, (runs,) uint32: FNV-1a of the words' FNV-1a
    hashes, then the upper half of MurmurHash3's finalizer."""
    each = np.array([fnv_1a(word) for word in words], dtype=np.uint64)
    count = max(0, len(each) - size + 1)
    hashes = np.full(count, FNV_START, dtype=np.uint64)
    for place in range(size):
        hashes = (hashes ^ each[place : place + count]) * np.uint64(FNV_PRIME)
    for factor in MURMUR:
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(factor)
    return ((hashes ^ (hashes >> np.uint64(33))) >> np.uint64(32)).astype(np.uint32)


@lru_cache(50_000)
def fnv_1a(word: str) -> int:
    """Return the 64-bit FNV-1a hash of a word's UTF-8 bytes."""
    value = FNV_START
    for byte in word.encode(errors="replace"):
        value = (value ^ byte) * FNV_PRIME & MASK
    return value
