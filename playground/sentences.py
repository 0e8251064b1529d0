"""The text of error messages."""

from __future__ import annotations

LENGTH = 200  # characters of a library's message that are kept


def first_line(error: BaseException | None) -> str:
    """Return the first line of a library's error message, shortened."""
    lines = str(error).strip().splitlines()
    return lines[0][:LENGTH] if lines else type(error).__name__


def capitalized(message: str) -> str:
    """Return a message with a capital first letter, unless it begins with a setting's name."""
    if "_" in message.split(" ", 1)[0]:
        return message
    return message[:1].upper() + message[1:]
