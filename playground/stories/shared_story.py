"""A story as it is given to other people: its words, its title, who wrote what, and how.

Pictures, files and booklets are made of this; none of them knows a model.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from playground.sampling import NUMBERS
from playground.stories.permalink import Run

LEVELS = (0.5, 0.2, 0.05, 0.01, 0.001)  # probabilities, as in web/odds.js
TITLE_MAX = 48  # letters of a title that is made of a story's beginning
GIVEN_MAX = 120  # letters of a title or an author that somebody gives
SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*(?=\s)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Word:
    """A token's text.

    Attributes:
        surprise: -log of its probability, in nats; None where nobody asked the model.
    """

    text: str
    by_model: bool
    surprise: float | None = None

    @property
    def level(self) -> int:
        """0 for a word that was expected, 5 for one that nobody could see coming."""
        if self.surprise is None:
            return 0
        probability = math.exp(-self.surprise)
        return next((k for k, least in enumerate(LEVELS) if probability >= least), len(LEVELS))


@dataclass(frozen=True)
class SharedStory:
    """A story that is given away.

    Attributes:
        words: all of them, in order.
        title: what it is called.
        author: who wrote it together with the model; "" for nobody.
        model: the model's name.
        settings: how it was written, in words.
        link: the address that opens it; "" where it has none.
    """

    words: tuple[Word, ...]
    title: str
    author: str
    model: str
    settings: str
    link: str

    @property
    def text(self) -> str:
        """As it is read."""
        return "".join(word.text for word in self.words).strip()

    @property
    def paragraphs(self) -> list[str]:
        """Its text, parted where its lines end."""
        return [part.strip() for part in self.text.split("\n") if part.strip()]

    @property
    def byline(self) -> str:
        """Who wrote it."""
        return f"{self.author} and {self.model}" if self.author else self.model

    @property
    def alternative(self) -> str:
        """What a picture of it says to somebody who cannot see it."""
        text = shortened(" ".join(self.text.split()), 400)
        return f"“{self.title}”, a story by {self.byline}: {text}"


def shared_story(
    words: Sequence[Word],
    runs: Sequence[Run],
    *,
    model: str,
    link: str = "",
    title: str = "",
    author: str = "",
) -> SharedStory:
    """The story of these words. Without a title it is called by its beginning."""
    text = "".join(word.text for word in words).strip()
    title = given(title) or beginning(text)
    return SharedStory(tuple(words), title, given(author), model, how(runs), link)


def given(text: str) -> str:
    """A title or a name that somebody typed, in one line of at most 120 letters."""
    return " ".join(CONTROL.sub(" ", text).split())[:GIVEN_MAX].strip()


def beginning(text: str) -> str:
    """The first words of a story, as its title."""
    first = given(text.split("\n")[0])
    if len(first) <= TITLE_MAX:
        return first.rstrip(".") or "A story"
    return first[:TITLE_MAX].rsplit(" ", 1)[0].rstrip(",;: ") + "…"


def shortened(text: str, most: int) -> str:
    """A text of at most `most` letters, cut behind a sentence where that leaves half of it, else
    behind a word."""
    if len(text) <= most:
        return text
    ends = [match.end() for match in SENTENCE_END.finditer(text[: most - 1] + " ")]
    if ends and ends[-1] >= most // 2:
        return text[: ends[-1]] + "\u00a0…"  # which does not stand in a line by itself
    return text[: most - 1].rsplit(" ", 1)[0] + "…"


def how(runs: Sequence[Run]) -> str:
    """The settings of a story in words: those of its first run, and that there are more."""
    if not runs:
        return "written by hand"
    settings = runs[0].settings
    parts = [f"temperature {settings.temperature:g}", f"top-k {settings.top_k or 'all'}"]
    for row in NUMBERS:
        value = getattr(settings, row.name)
        if row.neutral is not None and row.name != "top_k" and value != row.neutral:
            parts.append(f"{row.name.replace('_', '-')} {value:g}")
    parts.append(f"seed {settings.seed}")
    others = len({replace(run.settings, length=1) for run in runs}) - 1
    return ", ".join(parts) + (f", and {others} more" if others else "")
