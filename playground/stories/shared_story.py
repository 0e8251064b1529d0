"""A story as other sites show it when somebody passes its link on: title, first lines, model."""

from __future__ import annotations

import re
from dataclasses import dataclass

TITLE_MAX = 48  # letters of a title, which is made of a story's beginning
SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*(?=\s)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class SharedStory:
    """A story that is given away.

    Attributes:
        text: all its words.
        model: the model's name.
        link: the address that opens it.
    """

    text: str
    model: str
    link: str

    @property
    def title(self) -> str:
        """The first words of the story, in one line; "A story" if it has none."""
        first = in_one_line(self.text.strip().split("\n")[0])
        if len(first) <= TITLE_MAX:
            return first.rstrip(".") or "A story"
        return first[:TITLE_MAX].rsplit(" ", 1)[0].rstrip(",;: ") + "…"

    @property
    def alternative(self) -> str:
        """The alternative text of the story's picture."""
        text = shortened(in_one_line(self.text), 400)
        return f"“{self.title}”, a story by {self.model}: {text}"


def in_one_line(text: str) -> str:
    """Return a text without control characters and line breaks."""
    return " ".join(CONTROL.sub(" ", text).split())


def shortened(text: str, most: int) -> str:
    """A text of at most `most` letters, cut behind a sentence where that leaves half of it, else
    behind a word."""
    if len(text) <= most:
        return text
    ends = [match.end() for match in SENTENCE_END.finditer(text[: most - 1] + " ")]
    if ends and ends[-1] >= most // 2:
        return text[: ends[-1]] + "\u00a0…"  # which does not stand in a line by itself
    return text[: most - 1].rsplit(" ", 1)[0] + "…"
