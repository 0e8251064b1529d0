"""Encode stories in parallel: from the chunks of a source to shards of token ids.

Each chunk is parsed, cleaned and encoded by a thread. The tokenizer gets all stories of a
chunk in one call and releases Python's lock meanwhile; Python's own part is short. A shard depends
only on its chunk, the settings and the tokenizer, not on the number or order of threads.
"""

from __future__ import annotations

import hashlib
import re

import numpy as np

from trainer.corpus.read.chunks import Chunk
from trainer.corpus.store.cleaning import CLOSED_LATER, Cleaner, Dropped
from trainer.corpus.store.closings import LATIN_END, SENTENCE_END
from trainer.corpus.store.duplicates import signatures
from trainer.corpus.store.shards import Shard, Tally
from trainer.corpus.tokenizer.tokenizer import Tokenizer, pre_tokenizer_name
from trainer.settings.corpus import Corpus

NOT_ALPHANUMERIC = bytes(code for code in range(128) if not chr(code).isalnum())
LOWER_CASE = bytes(range(256)).lower()


class Encoder:
    """Cleaning and encoding by some settings."""

    def __init__(self, settings: Corpus, tokenizer: Tokenizer) -> None:
        self.settings = settings
        self.tokenizer = tokenizer
        self.cleaner = Cleaner(settings)
        self.cuts = settings.long_stories == "cut"
        self.parts_at_spaces = pre_tokenizer_name(tokenizer.described) is not None

    def encode(self, chunk: Chunk) -> Shard:
        """Return the stories of a chunk that pass the rules, as ids. Raises ValueError naming a
        line of the chunk that is broken."""
        tally = Tally()
        stories = []
        for raw in chunk.stories():
            tally.stories += 1
            tally.bytes += len(raw) if raw.isascii() else len(raw.encode(errors="replace"))
            story = self.cleaner.clean(raw, tally.changed)
            if isinstance(story, Dropped):
                tally.drop(story.reason, f"[{story.detail}] {raw}" if story.detail else raw)
            elif not self.cuts and self.surely_too_long(story):
                tally.drop("too_long", story)
            else:
                stories.append(story)
        ids, lengths = self.ids(stories)
        if self.cuts:
            stories = self.shortened(stories, ids, lengths, tally)
            ids, lengths = self.ids(stories)
        keep = self.right_length(stories, lengths, tally)
        data = [story.encode() for story, kept in zip(stories, keep, strict=True) if kept]
        return Shard(
            ids=ids[np.repeat(keep, lengths)],
            lengths=lengths[keep],
            num_bytes=np.array([len(story) for story in data], dtype="<i8"),
            exact=hashes(data),
            loose=loose_hashes(data),
            signatures=signatures(data if self.settings.near_duplicates else []),
            tally=tally,
        )

    def ids(self, stories: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids of some stories, each with its end, (tokens,) uint16, and the number
        of each."""
        ids = self.tokenizer.encode(stories)
        return ids, np.diff(np.flatnonzero(ids == self.tokenizer.end_of_text), prepend=-1)

    def surely_too_long(self, story: str) -> bool:
        """Return whether a story is surely too long, without encoding it: each single space begins
        a new token."""
        longest = self.settings.max_tokens
        single = self.settings.typography and self.parts_at_spaces
        return bool(longest and single and story.count(" ") >= longest)

    def shortened(
        self, stories: list[str], ids: np.ndarray, lengths: np.ndarray, tally: Tally
    ) -> list[str]:
        """Return the stories; long ones are cut after the last sentence that fits, unless their
        first sentence is too long. `ids` (tokens,) and `lengths` (stories,): from the method
        `ids`."""
        most = self.settings.max_tokens - 1
        shorter, ends = list(stories), np.cumsum(lengths)
        for number in np.flatnonzero(lengths - 1 > most).tolist():
            first = ends[number] - lengths[number]
            story, fits = stories[number], len(self.tokenizer.decode(ids[first:][:most]))
            cut = whole_sentences(story, fits)
            if cut:
                shorter[number] = cut
                tally.changed["shortened"] += 1
                tally.changed[CLOSED_LATER] += cut != whole_sentences(story, fits, LATIN_END)
        return shorter

    def right_length(self, stories: list[str], lengths: np.ndarray, tally: Tally) -> np.ndarray:
        """Return which stories have an allowed number of tokens, without their end:
        (stories,) bool."""
        keep = np.ones(len(stories), dtype=bool)
        longest = self.settings.max_tokens or np.inf
        too_short, too_long = lengths <= self.settings.min_tokens, lengths - 1 >= longest
        for reason, wrong in (("too_short", too_short), ("too_long", too_long)):
            for number in np.flatnonzero(wrong).tolist():
                keep[number] = False
                tally.drop(reason, stories[number])
        return keep


def whole_sentences(story: str, characters: int, end: re.Pattern[str] = SENTENCE_END) -> str:
    """Return the sentences that end within the first `characters` of a story."""
    ends = [match.end() for match in end.finditer(story) if match.end() <= characters]
    return story[: ends[-1]] if ends else ""


def hashes(stories: list[bytes]) -> np.ndarray:
    """Return a hash of each story (BLAKE2b): (stories,) uint64."""
    digests = b"".join(hashlib.blake2b(story, digest_size=8).digest() for story in stories)
    return np.frombuffer(digests, dtype="<u8")


def loose_hashes(stories: list[bytes]) -> np.ndarray:
    """Return a hash of the letters and digits of each story in lower case: (stories,) uint64."""
    return hashes([story.translate(LOWER_CASE, NOT_ALPHANUMERIC) for story in stories])


def held_out(loose: np.ndarray, ratio: float) -> np.ndarray:
    """Return which stories are held out, (stories,) bool, by their loose hashes: stories that
    differ only in case and punctuation get the same result."""
    is_out: np.ndarray = loose < np.uint64(int(ratio * 2**64))
    return is_out
