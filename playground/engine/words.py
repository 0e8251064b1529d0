"""Words that a story should contain: which are still missing, and which tokens would begin or
continue them.

The result depends only on the tokens so far and on where the model began to write, so a link
reproduces its story. As in web/sources/local/words.js.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from playground.folder.detokenizer import IncrementalDecoder

PATIENCE = 250  # tokens that a run waits for its words: some never come
SPACES, OPENERS = " \t\n\r\u00a0", "\"'([{“‘„«¿¡-"  # where a word begins without a space


class Spellings(NamedTuple):
    """The token sequences of a word.

    Attributes:
        spaced: with a space before it.
        bare: without.
    """

    spaced: list[tuple[int, ...]]
    bare: list[tuple[int, ...]]


class Part(NamedTuple):
    """A word that the text may continue with: its ids, `num_written` of them there."""

    word: str
    ids: tuple[int, ...]
    num_written: int


class WordsToUse:
    """Which words stand in a story, token by token.

    A word has come when it stands in the text as a whole, in any case: "dragons" does not count as
    "dragon".
    """

    def __init__(
        self,
        words: tuple[str, ...],
        spellings: Callable[[str], Spellings],
        decoder: IncrementalDecoder,
    ) -> None:
        """`decoder`: has not read a token yet."""
        self._words = {word.strip().lower(): spellings(word.strip()) for word in words}
        self._decoder = decoder
        self._count = 0  # tokens so far
        self._text = ""
        self._came: set[str] = set()
        self._at_end: set[str] = set()  # words at the text's end, which may become longer words
        self._begun: list[Part] = []

    @property
    def missing(self) -> list[str]:
        """The words that have not come yet."""
        return [word for word in self._words if word not in self._came]

    def follow(self, ids: list[int]) -> None:
        """Read the new tokens of a story."""
        for token_id in ids[self._count :]:
            self._add(token_id)

    def begins(self) -> list[int]:
        """Return the ids that begin a missing word and do not continue another, in rising order."""
        return sorted({part.ids[0] for part in self._beginnings()} - set(self.continues()))

    def continues(self) -> list[int]:
        """Return the ids that continue a missing word, in rising order."""
        begun = [part for part in self._begun if part.word not in self._came]
        return sorted({part.ids[part.num_written] for part in begun})

    def _beginnings(self) -> list[Part]:
        """Return the missing words that could begin here."""
        is_fresh = begins_word(self._text)
        parts = []
        for word in self.missing:
            spaced, bare = self._words[word]
            fits = [*bare] if is_fresh or not joins(word[0]) else []
            parts += [Part(word, ids, 0) for ids in fits + ([] if is_fresh else spaced)]
        return parts

    def _add(self, token_id: int) -> None:
        """Read one more token."""
        self._begun = [
            part._replace(num_written=part.num_written + 1)
            for part in self._begun + self._beginnings()
            if part.ids[part.num_written] == token_id and part.num_written + 1 < len(part.ids)
        ]
        self._count += 1
        before = len(self._text)
        self._text += self._decoder.add(token_id)
        for word in self._words:
            if word not in self._came or word in self._at_end:
                self._look_for(word, max(0, before - len(word) - 1))

    def _look_for(self, word: str, start: int) -> None:
        """Note whether a word stands in the text after `start`."""
        text = self._text[start:].lower()
        end = end_of(word, text, is_whole=not start)
        self._at_end.discard(word)
        if end is None:
            self._came.discard(word)
            return
        self._came.add(word)
        if end == len(text):
            self._at_end.add(word)


def joins(sign: str) -> bool:
    """Return whether a character joins its neighbours to one word; letters of scripts without
    capitals do not, since some of these scripts have no spaces."""
    return sign.lower() != sign.upper() or "0" <= sign <= "9"


def begins_word(text: str) -> bool:
    """Return whether a word begins after a text without a space before it."""
    text = text[-20:].rstrip(OPENERS)
    return not text or text[-1] in SPACES


def end_of(word: str, text: str, *, is_whole: bool) -> int | None:
    """Return where the first place of a word in a text ends; None without one. Both are in lower
    case. Unless `is_whole`, the first character only shows what stands before a word."""
    start = text.find(word, 0 if is_whole else 1)
    while start >= 0:
        end = start + len(word)
        before, after = text[start - 1 : start] if start else "", text[end : end + 1]
        is_begun = not (before and joins(before) and joins(word[0]))
        if is_begun and not (after and joins(after) and joins(word[-1])):
            return end
        start = text.find(word, start + 1)
    return None
