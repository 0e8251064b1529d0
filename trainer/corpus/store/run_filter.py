"""A filter of the 8-word runs of a store's training stories: it finds copied runs in a text without
the stories.

The file is published with a model whose stories are not: `playground.trace` and the page look up
runs in it. Its properties (docs/trace.md has the format):

- A run is 8 consecutive words, without regard to case and punctuation, as in the model card's count
  of copied runs.
- Only the runs that begin at every `stride`-th word of a story are stored, to keep the file small.
  So a copied run of 8 + stride - 1 words or more is always found; a copied run of 8 words is found
  with probability 1 / stride.
- The file has the share of copied words in held-out stories, for comparison.
- A run is stored as 32 bits of a hash. So a run that is in no story is found with the probability
  that the file states: the number of hashes / 2^32.

`stride` is the smallest for a file under 5 MB and a false positive rate under 0.1 %. The sorted
hashes are stored as differences, compressed by gzip: that takes 12.5 bits for each of 3.1M hashes,
where a Bloom filter with the same probability would need 15.1 (1.44 log2(1/p))."""

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
    """Return the words of a text, in lower case and without punctuation."""
    return [word.lower() for word in re.findall(r"[^\W_]+(?:['’][^\W_]+)*", text)]


def build_filter(store: TokenStore, file: Path) -> dict[str, Any]:
    """Write the filter of a store's training stories; return the values of its first line.

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
    """Return the share of words in held-out stories that are in a run of the filter, by chance;
    None if the store has no held-out stories."""
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
    """Return the content of a filter: gzip of a line of JSON and the differences between the sorted
    hashes, (n,) uint32: the lowest bytes of all differences, then the next, four times."""
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
    """Return the hash of each run of 8 words, (runs,) uint32: the 64-bit FNV-1a hash of each word,
    FNV-1a of the hashes of a run, the finalizer of MurmurHash3, and its upper 32 bits.
    """
    each = np.array([fnv_1a(word) for word in text], dtype=np.uint64)
    count = max(0, len(each) - RUN + 1)
    hashes = np.full(count, FNV_START, dtype=np.uint64)
    for place in range(RUN):
        hashes = (hashes ^ each[place : place + count]) * np.uint64(FNV_PRIME)
    for factor in MURMUR:
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(factor)
    return ((hashes ^ (hashes >> np.uint64(33))) >> np.uint64(32)).astype(np.uint32)


FNV_START, FNV_PRIME = 0xCBF29CE484222325, 0x100000001B3
MURMUR = 0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53


@cache
def fnv_1a(word: str) -> int:
    """Return the 64-bit FNV-1a hash of a word's UTF-8 bytes (Fowler, Noll & Vo)."""
    hash_so_far = FNV_START
    for byte in word.encode():
        hash_so_far = (hash_so_far ^ byte) * FNV_PRIME & MASK
    return hash_so_far
