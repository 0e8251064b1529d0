"""A story as other sites show its link: title, first lines, model."""

from __future__ import annotations

import re
from dataclasses import dataclass

TITLE_MAX = 48  # characters of a title, which is the beginning of the story
SENTENCE_END = re.compile(r"[.!?…][\"'”’)]*(?=\s)")
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class SharedStory:
    """A shared story.

    Attributes:
        text: the whole story.
        model: the model's name.
        link: the address that opens the story.
    """

    text: str
    model: str
    link: str

    @property
    def title(self) -> str:
        """Return the first words of the story on one line; "A story" if it has none."""
        first = in_one_line(self.text.strip().split("\n")[0])
        if len(first) <= TITLE_MAX:
            return first.rstrip(".") or "A story"
        return first[:TITLE_MAX].rsplit(" ", 1)[0].rstrip(",;: ") + "…"

    @property
    def alternative(self) -> str:
        """Return the alternative text of the preview image."""
        text = shortened(in_one_line(self.text), 400)
        return f"“{self.title}”, a story by {self.model}: {text}"


def in_one_line(text: str) -> str:
    """Return a text without control characters and line breaks."""
    return " ".join(CONTROL.sub(" ", text).split())


def shortened(text: str, length: int) -> str:
    """Return at most `length` characters of a text, cut after a sentence if that keeps at least
    half of them, else after a word."""
    if len(text) <= length:
        return text
    ends = [match.end() for match in SENTENCE_END.finditer(text[: length - 1] + " ")]
    if ends and ends[-1] >= length // 2:
        return text[: ends[-1]] + "\u00a0…"  # no line break before the ellipsis
    return text[: length - 1].rsplit(" ", 1)[0] + "…"
