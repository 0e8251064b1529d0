"""Pieces of a source to token ids, in parallel.

Each piece is taken apart, cleaned and encoded by a thread. The encoder (tiktoken) gets all stories
of a piece in one call, parted by the end-of-text mark, and lets the other threads run meanwhile;
what Python does is short beside it. Results come in the order of the pieces, so the number of
threads changes nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from trainer.config import Corpus
from trainer.corpus.cleaning import Cleaner, Dropped
from trainer.corpus.sources import Piece
from trainer.corpus.tokenizer import END_OF_TEXT, END_OF_TEXT_MARK, encoder

NOT_LETTERS = bytes(byte for byte in range(128) if not chr(byte).isalnum())
LOWER = bytes(ord(chr(byte).lower()) if byte < 128 else byte for byte in range(256))


@dataclass
class Encoded:
    """The stories of a piece.

    Attributes:
        ids: (tokens,) uint16, each story with its end.
        lengths: (stories,) int64, tokens of each story, its end among them.
        num_bytes: (stories,) int64, UTF-8 bytes of each story.
        exact: (stories,) uint64, hash of each story.
        loose: (stories,) uint64, hash of its letters and digits in lower case.
        read: stories that were read, and their UTF-8 bytes.
        changed: stories that each rewriting rule changed.
        dropped: stories that each dropping rule took.
        examples: up to three of each.
    """

    ids: np.ndarray
    lengths: np.ndarray
    num_bytes: np.ndarray
    exact: np.ndarray
    loose: np.ndarray
    read: tuple[int, int]
    changed: Counter[str]
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)


class Encoder:
    """Cleaning and encoding as some settings want it."""

    def __init__(self, settings: Corpus) -> None:
        self.settings = settings
        self.cleaner = Cleaner(settings)
        self.encoding = encoder()

    def encode(self, piece: Piece) -> Encoded:
        """The stories of a piece that pass the rules, as ids."""
        raw = piece.stories()
        changed: Counter[str] = Counter()
        dropped: Counter[str] = Counter()
        examples: dict[str, list[str]] = {}
        stories = []
        for text in raw:
            story = self.cleaner.clean(text, changed)
            if isinstance(story, Dropped):
                note(story.reason, text, dropped, examples)
            else:
                stories.append(story)
        joined = "".join(story + END_OF_TEXT_MARK for story in stories)
        ids = self.encoding.encode_to_numpy(joined, allowed_special="all").astype("<u2")
        ends = np.flatnonzero(ids == END_OF_TEXT)
        lengths = np.diff(ends, prepend=-1)
        keep = lengths - 1 >= self.settings.min_tokens
        for number in np.flatnonzero(~keep):
            note("too_short", stories[number], dropped, examples)
        if self.settings.max_tokens:
            fits = lengths - 1 < self.settings.max_tokens
            for number in np.flatnonzero(~fits):
                note("too_long", stories[number], dropped, examples)
            keep &= fits
        data = [story.encode() for story, kept in zip(stories, keep, strict=True) if kept]
        return Encoded(
            ids[np.repeat(keep, lengths)],
            lengths[keep],
            np.array([len(story) for story in data], dtype=np.int64),
            hashes(data),
            hashes([story.translate(LOWER, NOT_LETTERS) for story in data]),
            (len(raw), sum(len(text) for text in raw)),
            changed,
            dropped,
            examples,
        )


def note(reason: str, story: str, dropped: Counter[str], examples: dict[str, list[str]]) -> None:
    """Count a dropped story; keep it if it is among the first three."""
    dropped[reason] += 1
    if dropped[reason] <= 3:
        examples.setdefault(reason, []).append(story[:300])


def hashes(stories: list[bytes]) -> np.ndarray:
    """A hash of each story (BLAKE2b): (stories,) uint64."""
    digests = b"".join(hashlib.blake2b(story, digest_size=8).digest() for story in stories)
    return np.frombuffer(digests, dtype="<u8")


def in_parallel(
    work: Callable[[Piece], Encoded], pieces: Iterable[Piece], workers: int
) -> Iterator[Encoded]:
    """`work` on each piece, results in order; a few pieces more than threads are in memory."""
    workers = workers or os.cpu_count() or 1
    waiting: deque[Future[Encoded]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for piece in pieces:
                waiting.append(pool.submit(work, piece))
                if len(waiting) > workers + 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
