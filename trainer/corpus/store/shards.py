"""The result of encoding a chunk: its ids, hashes and counts, in a file while a store is built.

A shard is written to a temporary file, flushed to the disk and renamed, so a build that was killed
resumes after its last shard. NumPy's .npz has a checksum of each array and needs no pickle; a
shard that was damaged later is built again.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from trainer.storage.atomic import atomic_file

EXAMPLES = 3  # of stories that each rule dropped
EXAMPLE_END = 100  # characters of a story's start and of its end
ARRAYS = ("ids", "lengths", "num_bytes", "exact", "loose", "signatures")


@dataclass
class Tally:
    """Counts of the stories that were read, changed and dropped.

    Attributes:
        stories: read.
        bytes: of their UTF-8.
        changed: stories that each rewriting rule changed.
        dropped: stories that each dropping rule dropped.
        examples: the first few dropped stories of each rule.
    """

    stories: int = 0
    bytes: int = 0
    changed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def drop(self, reason: str, story: str) -> None:
        """Count a dropped story."""
        self.dropped[reason] += 1
        if self.dropped[reason] <= EXAMPLES:
            if len(story) > 2 * EXAMPLE_END:
                story = f"{story[:EXAMPLE_END]} ... {story[-EXAMPLE_END:]}"
            shown = story.encode(errors="replace").decode()
            self.examples.setdefault(reason, []).append(shown)

    def full(self, reason: str) -> bool:
        """Return whether there are enough examples of a reason."""
        return self.dropped[reason] >= EXAMPLES

    def add(self, other: Tally) -> None:
        """Add the counts of a later shard."""
        self.stories += other.stories
        self.bytes += other.bytes
        self.changed.update(other.changed)
        self.dropped.update(other.dropped)
        for reason, stories in other.examples.items():
            examples = self.examples.setdefault(reason, [])
            examples += stories[: EXAMPLES - len(examples)]


@dataclass
class Shard:
    """The stories of a chunk that passed the rules.

    Attributes:
        ids: (tokens,) uint16; each story ends with the end-of-text id.
        lengths: (stories,) int64; tokens of each story, with its end.
        num_bytes: (stories,) int64; UTF-8 bytes of each story.
        exact: (stories,) uint64; hash of each story.
        loose: (stories,) uint64; hash of its letters and digits in lower case.
        signatures: (stories, width) uint32; MinHashes, of width 0 if they are not used.
        tally: counts of the chunk's stories.
    """

    ids: np.ndarray
    lengths: np.ndarray
    num_bytes: np.ndarray
    exact: np.ndarray
    loose: np.ndarray
    signatures: np.ndarray
    tally: Tally

    def save(self, file: Path) -> None:
        """Write the shard completely or not at all."""
        with atomic_file(file) as partial, partial.open("wb") as stream:
            tally = np.frombuffer(json.dumps(vars(self.tally)).encode(), dtype=np.uint8)
            np.savez(stream, tally=tally, **{name: getattr(self, name) for name in ARRAYS})

    @classmethod
    def load(cls, file: Path) -> Shard:
        """Read a shard."""
        with np.load(file, allow_pickle=False) as stored:
            counts = json.loads(stored["tally"].tobytes())
            for name in ("changed", "dropped"):
                counts[name] = Counter(counts[name])
            return cls(**{name: stored[name] for name in ARRAYS}, tally=Tally(**counts))


def is_whole(file: Path) -> bool:
    """Return whether a shard exists and all its checksums are right."""
    try:
        Shard.load(file)
    except Exception:  # a damaged archive has errors of many kinds
        return False
    return True
