"""What goes wrong, as one sentence for a person."""

from __future__ import annotations

LENGTH = 200  # letters of what a library says that are passed on


def first_line(error: BaseException | None) -> str:
    """The first line of what a library says, short enough for a sentence."""
    lines = str(error).strip().splitlines()
    return lines[0][:LENGTH] if lines else type(error).__name__


def capitalized(sentence: str) -> str:
    """A sentence with a capital at its beginning, but for a setting's name, which stays as it is
    written."""
    if "_" in sentence.split(" ", 1)[0]:
        return sentence
    return sentence[:1].upper() + sentence[1:]
