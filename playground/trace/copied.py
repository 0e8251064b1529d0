"""What is found of a story in the training stories: runs of words, and the share that they cover.

`index.py` finds the runs in an index, with the stories that they stand in; `run_filter.py` finds
them in a filter, without. Both count words as the model card does.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")


@dataclass(frozen=True)
class Source:
    """A place in the training stories where a run stands.

    Attributes:
        story: its number, from 0.
        before, text, after: the run in its context; all of a short story, else cut off at "…".
    """

    story: int
    before: str
    text: str
    after: str


@dataclass(frozen=True)
class Run:
    """A part of a story that stands in the training stories.

    Attributes:
        start, end: its first character and the one after its last.
        words: how many words it has.
        rarity: -log10 of its probability if tokens were drawn one by one; None from a filter.
        stories: how many training stories hold it; None from a filter.
        sources: some of them.
    """

    start: int
    end: int
    words: int
    rarity: float | None = None
    stories: int | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True)
class Trace:
    """The parts of a text that also stand in the training stories.

    Attributes:
        text: the text.
        runs: in the order of their starts; they may overlap, and none is within another.
        words: how many words the text has.
        copied: how many of them are in a run.
        corpus: the name of the training stories.
        held_out: the share of copied words in stories that the model has not read, if it is known:
            what stories have in common by chance.
        certain: a copied run of so many words or more is found for certain; None from an index,
            which finds all that are rare.
        false_positives: part of the runs that are taken for copied by mistake.
    """

    text: str
    runs: tuple[Run, ...]
    words: int
    copied: int
    corpus: str
    held_out: float | None
    certain: int | None = None
    false_positives: float = 0.0

    @property
    def share(self) -> float:
        """The part of the words that is copied, from 0 to 1; 0 of no words."""
        return self.copied / self.words if self.words else 0.0

    def described(self) -> dict[str, Any]:
        """Return the trace as values for JSON, with the share."""
        return dataclasses.asdict(self) | {"share": self.share}


class Tracer(Protocol):
    """An index or a filter."""

    def trace(self, text: str, sources: int) -> Trace:
        """Find the runs of a text, each with at most so many sources."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """(start, end) of the words of a text, in characters."""
    return [match.span() for match in WORD.finditer(text)]


def copied_words(runs: Sequence[Run], spans: Sequence[tuple[int, int]]) -> int:
    """Return how many of the words at `word_spans` are in a run."""
    return sum(any(run.start <= start and end <= run.end for run in runs) for start, end in spans)


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 code units of a text, as JavaScript counts."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2
