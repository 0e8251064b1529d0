"""Near duplicates: stories that share most of their five-word runs.

The MinHashes of a story (datasketch) estimate the Jaccard similarity of its set of five-word runs
with another's: the fraction of hashes that agree. Bands of hashes find the candidates without
comparing all pairs (locality-sensitive hashing; datasketch chooses how many bands of how many
rows suit the threshold); a candidate is a near duplicate if the estimate reaches the threshold.

Of the signatures only hashes of their bands stay in memory; the signatures lie in a file.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import Any

import numpy as np

from trainer.corpus.store.hash_index import HashIndex

HASHES = 64  # a signature; the estimate is off by about 1 / sqrt(64) at worst
RUN = 5  # words
WORD = re.compile(rb"[a-z0-9]+")


def hash32(run: bytes) -> int:
    """A hash of a run of words."""
    return int.from_bytes(hashlib.blake2b(run, digest_size=4).digest(), "little")


def signatures(stories: list[bytes]) -> np.ndarray:
    """The MinHashes of some stories: (stories, HASHES) uint32."""
    if not stories:
        return np.empty((0, HASHES), dtype="<u4")
    from datasketch import MinHash  # type: ignore[import-untyped]

    runs = []
    for story in stories:
        words = WORD.findall(story.lower())
        starts = range(max(1, len(words) - RUN + 1))
        runs.append({b" ".join(words[start : start + RUN]) for start in starts})
    found = MinHash.bulk(runs, num_perm=HASHES, seed=1, hashfunc=hash32)
    return np.array([minhash.hashvalues for minhash in found]).astype("<u4")


class NearDuplicates:
    """The signatures met so far.

    Args:
        threshold: similarity, above 0 and below 1, from which two stories count as the same.
        file: where the signatures are kept.
    """

    def __init__(self, threshold: float, file: Path) -> None:
        from datasketch import MinHashLSH

        shape: Any = MinHashLSH(threshold=threshold, num_perm=HASHES)
        self.threshold, self.bands, self.rows = threshold, shape.b, shape.r
        self.indexes = [HashIndex() for _ in range(self.bands)]
        self.file = file.open("w+b")
        self.known = 0

    def new(self, found: np.ndarray) -> np.ndarray:
        """Which of some stories, (n, HASHES) uint32, are like none before them: (n,) bool."""
        bands = [
            band_hashes(found[:, band * self.rows : (band + 1) * self.rows])
            for band in range(self.bands)
        ]
        earlier = [index.find(band) for index, band in zip(self.indexes, bands, strict=True)]
        here: list[dict[int, int]] = [{} for _ in range(self.bands)]
        kept = np.zeros(len(found), dtype=bool)
        for story in range(len(found)):
            rivals = {int(numbers[story]) for numbers in earlier if numbers[story] >= 0}
            alike = any(self.alike(found[story], self.signature(rival)) for rival in rivals)
            rivals = {
                among[int(band[story])]
                for among, band in zip(here, bands, strict=True)
                if int(band[story]) in among
            }
            alike = alike or any(self.alike(found[story], found[rival]) for rival in rivals)
            kept[story] = not alike
            if not alike:
                for among, band in zip(here, bands, strict=True):
                    among.setdefault(int(band[story]), story)
        numbers = self.known + np.cumsum(kept) - 1
        for index, band in zip(self.indexes, bands, strict=True):
            index.first(band[kept], numbers[kept])
        self.file.seek(0, 2)
        self.file.write(found[kept].tobytes())
        self.known += int(kept.sum())
        return kept

    def alike(self, one: np.ndarray, other: np.ndarray) -> bool:
        """Whether two signatures say that the stories are nearly the same."""
        return float((one == other).mean()) >= self.threshold

    def signature(self, number: int) -> np.ndarray:
        """The signature of a story met before."""
        self.file.seek(number * HASHES * 4)
        return np.frombuffer(self.file.read(HASHES * 4), dtype="<u4")

    def close(self) -> None:
        """Give the file back."""
        self.file.close()


def band_hashes(band: np.ndarray) -> np.ndarray:
    """A hash of each row of a band, (n, rows) uint32: (n,) uint64."""
    found = np.full(len(band), 0xCBF29CE484222325, dtype=np.uint64)
    for column in band.T:  # FNV-1a, a word at a time, and a shift for its weak high bits
        found = (found ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
        found ^= found >> np.uint64(29)
    return found
