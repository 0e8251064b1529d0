"""A filter of the 8-word runs of a store's training stories: which runs of a text stand in them,
without the stories.

It is a file that goes with a model whose stories do not: `playground.trace` and the page look runs
up in it. What it says and what not (docs/trace.md has the format):

- A run is 8 words in their order, whatever their case and the punctuation between them, as the
  model card counts copied runs.
- Only the runs that begin at every `stride`-th word of a story are kept, so that the file stays
  small. So of a stretch of 8 + stride - 1 words or more that stands in a story at least one run is
  found, for certain; of one of 8 words it is found with probability 1 / stride.
- A share of copied words of stories that the model has not read is beside it, to compare with.
- A run is kept as 32 bits of a hash. So a run that stands nowhere is found with the probability
  that the file states, which is the number of hashes / 2^32.

`stride` is the smallest with which the file has less than 5 MB and that probability is under 0.1 %.
The sorted hashes are kept as differences, compressed by gzip: that takes 12.5 bits for each of 3.1M
hashes, where a Bloom filter with the same probability would need 15.1 (1.44 log2(1/p)).
"""

from __future__ import annotations

import gzip
import itertools
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from trainer.corpus.store.token_store import TokenStore
from trainer.storage.atomic import atomic_file

FORMAT = 1
RUN = 8  # words
MOST_BYTES = 5_000_000
MOST_FALSE = 0.001
MOST_TOKENS = 100_000_000  # 300 MB of hashes, and a stride of some 24
HELD_OUT = 200  # stories
MASK = 2**64 - 1


def words(text: str) -> list[str]:
    """The words of a text, in lower case and without punctuation."""
    return [word.lower() for word in re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)]


def build_filter(store: TokenStore, file: Path) -> dict[str, Any]:
    """Write the filter of a store's training stories; return what its first line says.

    Raises:
        ValueError: the file cannot be written, no story is long enough, or the store is too large
            for a useful filter.
    """
    if store.num_tokens("train") > MOST_TOKENS:
        raise ValueError(
            f"{store.folder} has {store.num_tokens('train'):,} training tokens, and a filter of"
            f" more than {MOST_TOKENS:,} would miss most short runs: use the index"
        )
    runs = list(hashes(store))
    if not any(map(len, runs)):
        raise ValueError(f"no story of {store.folder} has {RUN} words: give longer stories")
    for stride in itertools.count(1):
        kept = np.unique(np.concatenate([story[::stride] for story in runs]))
        if len(kept) > MOST_FALSE * 2**32:
            continue
        about = {
            "format": FORMAT,
            "store": store.fingerprint,
            "corpus": store.info["name"],
            "stories": store.num_stories("train"),
            "words": RUN,
            "stride": stride,
            "hashes": len(kept),
            "false_positives": len(kept) / 2**32,
            "held_out": copied_share(store, kept),
        }
        content = packed(about, kept)
        if len(content) < MOST_BYTES:
            break
    try:
        with atomic_file(file) as partial:
            partial.write_bytes(content)
    except OSError as error:
        raise ValueError(f"{file} cannot be written ({error.strerror}): make room there") from None
    return about


def copied_share(store: TokenStore, kept: np.ndarray) -> float | None:
    """The share of the words of some held-out stories that are in a run of the filter, which
    stories have in common by chance; None if the store holds none out."""
    copied = count = 0
    for story in store.stories("validation", HELD_OUT):
        text = words(story)
        is_copied = np.zeros(len(text) + RUN, dtype=bool)
        runs = run_hashes(text)
        places = np.minimum(np.searchsorted(kept, runs), len(kept) - 1)
        for first in np.flatnonzero(kept[places] == runs).tolist():
            is_copied[first : first + RUN] = True
        copied, count = copied + int(is_copied.sum()), count + len(text)
    return copied / count if count else None


def packed(about: dict[str, Any], kept: np.ndarray) -> bytes:
    """The content of a filter: gzip of a line of JSON and the differences between the sorted
    hashes, (n,) uint32: the lowest bytes of all, then the next, four times."""
    differences = np.diff(kept, prepend=np.uint32(0)).astype("<u4")
    planes = differences.view(np.uint8).reshape(-1, 4).T.tobytes()
    return gzip.compress(json.dumps(about).encode() + b"\n" + planes, mtime=0)


def hashes(store: TokenStore) -> Iterator[np.ndarray]:
    """Yield the hashes of each training story's runs, in order, (runs,) uint32."""
    with tqdm(desc="reading", total=store.num_stories("train"), unit=" stories") as bar:
        for story in store.stories("train"):
            yield run_hashes(words(story))
            bar.update()


def run_hashes(text: list[str]) -> np.ndarray:
    """The hash of each run of 8 words, (runs,) uint32.

    The 64-bit FNV-1a hash of each word; of a run, FNV-1a of its words' hashes; then the finalizer
    of MurmurHash3, and the upper 32 bits of that.
    """
    each = np.array([fnv_1a(word) for word in text], dtype=np.uint64)
    count = max(0, len(each) - RUN + 1)
    found = np.full(count, FNV_START, dtype=np.uint64)
    for place in range(RUN):
        found = (found ^ each[place : place + count]) * np.uint64(FNV_PRIME)
    for factor in MURMUR:
        found = (found ^ (found >> np.uint64(33))) * np.uint64(factor)
    return ((found ^ (found >> np.uint64(33))) >> np.uint64(32)).astype(np.uint32)


FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
MURMUR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53


@cache
def fnv_1a(word: str) -> int:
    """The 64-bit FNV-1a hash of a word's UTF-8 bytes (Fowler, Noll & Vo)."""
    found = FNV_START
    for byte in word.encode():
        found = (found ^ byte) * FNV_PRIME & MASK
    return found
