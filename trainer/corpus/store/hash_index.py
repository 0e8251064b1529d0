"""Which hashes were met before, and with which number: 16 bytes a hash, whatever their count.

Sorted runs of NumPy arrays, each run at least twice as long as the next one: adding merges the
short runs, looking up searches each run. A Python dict would need about ten times the memory.
"""

from __future__ import annotations

import numpy as np


class HashIndex:
    """A map from hashes to the number that came first with each."""

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """The number of each hash, (n,) uint64: (n,) int64, -1 where it is new."""
        found = np.full(len(hashes), -1, dtype=np.int64)
        for keys, numbers in self._runs:
            positions = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
            here = keys[positions] == hashes
            found[here] = numbers[positions[here]]
        return found

    def add(self, hashes: np.ndarray, numbers: np.ndarray) -> None:
        """Remember hashes, (n,) uint64, that `find` does not know, none twice; with (n,) int64."""
        if not len(hashes):
            return
        order = np.argsort(hashes)
        run = hashes[order], numbers[order]
        while self._runs and len(self._runs[-1][0]) < 2 * len(run[0]):
            keys, values = self._runs.pop()
            keys, values = np.concatenate([keys, run[0]]), np.concatenate([values, run[1]])
            order = np.argsort(keys, kind="stable")
            run = keys[order], values[order]
        self._runs.append(run)

    def first(self, hashes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Which of some hashes are met for the first time, here and before: (n,) bool. They are
        remembered, with their (n,) int64 numbers."""
        new = self.find(hashes) < 0
        alone = np.zeros(len(hashes), dtype=bool)
        alone[np.unique(hashes, return_index=True)[1]] = True
        new &= alone
        self.add(hashes[new], numbers[new])
        return new
