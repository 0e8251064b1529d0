"""The result of tracing a story: the runs of words that stand in the training stories, and the
share of the words in these runs.

`index.py` finds the runs in an index, with their training stories; `run_filter.py` finds them in a
filter, without. Both count words as the model card does.
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
    """A training story that contains a run.

    Attributes:
        story: its number, from 0.
        before, text, after: the run in its context, which is cut off at "…" in a long story.
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
        words: number of words.
        rarity: -log10 of its probability if tokens are drawn independently; None from a filter.
        stories: number of training stories that contain it; None from a filter.
        sources: some of these stories.
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
        runs: in the order of their starts. They may overlap, and no run contains another.
        words: number of words of the text.
        copied: number of words in a run.
        corpus: the name of the training stories.
        held_out: the share of copied words in stories that the model was not trained on, if known:
            what stories have in common by chance.
        certain: length in words from which every copied run is found; None from an index, which
            finds all rare runs.
        false_positives: part of the runs not in the training stories that are reported by mistake.
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
        """The part of the words that are copied, from 0 to 1; 0 if there are no words."""
        return self.copied / self.words if self.words else 0.0

    def described(self) -> dict[str, Any]:
        """Return the trace as values for JSON, with the share."""
        return dataclasses.asdict(self) | {"share": self.share}


class Tracer(Protocol):
    """An index or a filter."""

    def trace(self, text: str, sources: int) -> Trace:
        """Return the runs of a text, each with at most `sources` sources."""


def word_spans(text: str) -> list[tuple[int, int]]:
    """Return (start, end) of the words of a text, in characters."""
    return [match.span() for match in WORD.finditer(text)]


def copied_words(runs: Sequence[Run], spans: Sequence[tuple[int, int]]) -> int:
    """Return how many of the words at `word_spans` are in a run."""
    return sum(any(run.start <= start and end <= run.end for run in runs) for start, end in spans)


def utf16_length(text: str) -> int:
    """Return the number of UTF-16 code units of a text, as JavaScript counts."""
    return len(text.encode("utf-16-le", errors="surrogatepass")) // 2
