"""Find the stories of a shard that are duplicates: exact, near, or of the validation part.

Exact duplicates are found by a hash of each story. Near duplicates share most of their five-word
runs: the MinHashes of a story (datasketch) estimate the Jaccard similarity of its set of five-word
runs with another's, as the fraction of hashes that agree. Bands of hashes find the candidates
without comparing all pairs (locality-sensitive hashing; datasketch chooses how many bands of how
many rows suit the threshold); a candidate is a near duplicate if the estimate reaches the
threshold.

Memory: 16 bytes per hash. Of the MinHash signatures only hashes of their bands stay in memory; the
signatures are in a file.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np

from trainer.corpus.store.shards import Shard, Tally
from trainer.corpus.store.token_store import SPLITS
from trainer.corpus.tokenizer.tokenizer import Tokenizer
from trainer.settings.corpus import Corpus

HASHES = 64  # per signature; the estimate is off by about 1 / sqrt(64) at worst
RUN = 5  # words
WORD = re.compile(rb"[a-z0-9]+")


class HashIndex:
    """A map from hashes to the first number added with each.

    Sorted runs of NumPy arrays, each run at least twice as long as the next one: adding merges the
    short runs, looking up searches each run. A Python dict would need about ten times the memory.
    """

    def __init__(self) -> None:
        self._runs: list[tuple[np.ndarray, np.ndarray]] = []

    def find(self, hashes: np.ndarray) -> np.ndarray:
        """Return the number of each hash, (n,) uint64: (n,) int64, -1 where it is new."""
        numbers_found = np.full(len(hashes), -1, dtype=np.int64)
        for keys, numbers in self._runs:
            positions = np.minimum(np.searchsorted(keys, hashes), len(keys) - 1)
            here = keys[positions] == hashes
            numbers_found[here] = numbers[positions[here]]
        return numbers_found

    def add(self, hashes: np.ndarray, numbers: np.ndarray) -> None:
        """Add new and distinct hashes, (n,) uint64, with their numbers, (n,) int64."""
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
        """Return which of some hashes, (n,) uint64, are new, here and before: (n,) bool; add them
        with their (n,) int64 numbers."""
        first_here = np.zeros(len(hashes), dtype=bool)
        first_here[np.unique(hashes, return_index=True)[1]] = True
        new: np.ndarray = first_here & (self.find(hashes) < 0)
        self.add(hashes[new], numbers[new])
        return new


def hash32(run: bytes) -> int:
    """Return a 32-bit hash of a run of words."""
    return int.from_bytes(hashlib.blake2b(run, digest_size=4).digest(), "little")


def signatures(stories: list[bytes]) -> np.ndarray:
    """Return the MinHashes of some stories: (stories, HASHES) uint32."""
    if not stories:
        return np.empty((0, HASHES), dtype="<u4")
    from datasketch import MinHash  # type: ignore[import-untyped]

    runs = []
    for story in stories:
        words = WORD.findall(story.lower())
        starts = range(max(1, len(words) - RUN + 1))
        runs.append({b" ".join(words[start : start + RUN]) for start in starts})
    minhashes = MinHash.bulk(runs, num_perm=HASHES, seed=1, hashfunc=hash32)
    return np.array([minhash.hashvalues for minhash in minhashes]).astype("<u4")


class NearDuplicates:
    """The signatures of the stories kept so far.

    Args:
        threshold: similarity, above 0 and below 1, at which two stories count as duplicates.
        file: for the signatures.
    """

    def __init__(self, threshold: float, file: Path) -> None:
        from datasketch import MinHashLSH

        shape: Any = MinHashLSH(threshold=threshold, num_perm=HASHES)
        self.threshold, self.rows = threshold, shape.r
        self.indexes = [HashIndex() for _ in range(shape.b)]  # one per band
        self.file = file.open("w+b")
        self.num_kept = 0

    def keep_mask(self, signatures: np.ndarray) -> np.ndarray:
        """Return which of some stories, given their (n, HASHES) uint32 signatures, are not near
        duplicates of an earlier story: (n,) bool; add them."""
        bands = [
            band_hashes(signatures[:, band * self.rows : (band + 1) * self.rows])
            for band in range(len(self.indexes))
        ]
        earlier = [index.find(band) for index, band in zip(self.indexes, bands, strict=True)]
        # Stories of this call are compared too: `here` has the first story for each hash of a band.
        here: list[dict[int, int]] = [{} for _ in bands]
        kept = np.zeros(len(signatures), dtype=bool)
        for story, signature in enumerate(signatures):
            hashes = [int(band[story]) for band in bands]
            before = {int(numbers[story]) for numbers in earlier if numbers[story] >= 0}
            current = {first[key] for first, key in zip(here, hashes, strict=True) if key in first}
            candidates = itertools.chain(
                map(self.signature, before), (signatures[number] for number in current)
            )
            kept[story] = not any(
                (signature == candidate).mean() >= self.threshold for candidate in candidates
            )
            if kept[story]:
                for first, key in zip(here, hashes, strict=True):
                    first.setdefault(key, story)
        numbers = self.num_kept + np.cumsum(kept) - 1
        for index, band in zip(self.indexes, bands, strict=True):
            index.first(band[kept], numbers[kept])
        self.file.seek(0, 2)
        self.file.write(signatures[kept].tobytes())
        self.num_kept += int(kept.sum())
        return kept

    def signature(self, number: int) -> np.ndarray:
        """Return the signature of a story that was kept before: (HASHES,) uint32."""
        self.file.seek(number * HASHES * 4)
        return np.frombuffer(self.file.read(HASHES * 4), dtype="<u4")


def band_hashes(band: np.ndarray) -> np.ndarray:
    """Return a hash of each row of a band, (n, rows) uint32: (n,) uint64."""
    hashes = np.full(len(band), 0xCBF29CE484222325, dtype=np.uint64)
    for column in band.T:  # FNV-1a per 32-bit word, and a shift for its weak high bits
        hashes = (hashes ^ column.astype(np.uint64)) * np.uint64(0x100000001B3)
        hashes ^= hashes >> np.uint64(29)
    return hashes


class Filter:
    """Finds duplicates in shards that come in order, and stories of the validation part."""

    def __init__(self, settings: Corpus, tokenizer: Tokenizer, tally: Tally, folder: Path) -> None:
        self.settings, self.tokenizer, self.tally = settings, tokenizer, tally
        self.validation = HashIndex()
        self.earlier = {name: HashIndex() for name in SPLITS}
        self.near = {
            name: NearDuplicates(settings.near_duplicates, folder / f"{name}.signatures")
            for name in (SPLITS if settings.near_duplicates else ())
        }

    def keep_mask(self, shard: Shard, name: str, among: np.ndarray) -> np.ndarray:
        """Return which stories of a shard, of those in the mask `among`, belong into a split:
        (stories,) bool."""
        keep = among.copy()
        numbers = np.arange(len(keep))
        if name == "train" and self.settings.decontaminate:
            self.drop(shard, "in_validation", keep, self.validation.find(shard.loose)[keep] < 0)
        if self.settings.duplicates:
            new = self.earlier[name].first(shard.exact[keep], numbers[keep])
            self.drop(shard, "duplicate", keep, new)
        if self.near:
            new = self.near[name].keep_mask(shard.signatures[keep])
            self.drop(shard, "near_duplicate", keep, new)
        if name == "validation":
            self.validation.first(shard.loose[keep], numbers[keep])
        return keep

    def drop(self, shard: Shard, reason: str, keep: np.ndarray, stays: np.ndarray) -> None:
        """Remove from the mask `keep` the stories for which `stays`, a value per story in it, is
        false; count them."""
        ends = np.cumsum(shard.lengths)
        for number in np.flatnonzero(keep)[~stays].tolist():
            keep[number] = False
            ids = shard.ids[ends[number] - shard.lengths[number] : ends[number] - 1]
            has_examples = self.tally.full(reason)
            self.tally.drop(reason, "" if has_examples else self.tokenizer.decode(ids))

    def close(self) -> None:
        """Close the files of signatures."""
        for near in self.near.values():
            near.file.close()
