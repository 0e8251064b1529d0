"""Texts whose lines were wrapped at some width, as Project Gutenberg's: paragraphs as one line.

A break is one of wrapping if the next word would not have fitted. So the lines of a verse, a
heading or an address stay as they are.
"""

from __future__ import annotations

import re

WIDEST = 100  # characters: wider lines were not wrapped for reading
FEWEST = 10  # breaks inside paragraphs that a text must have to be judged
FULL = 0.8  # of the width: a line this long, with the next word, is full
MOST = 0.9  # of the breaks must follow full lines
LONG_WORD = 25  # characters: a longer first word belongs to a language without spaces
ENDED = re.compile(r"""[.!?:;。！？।]["'”’)]*$""")


def width_of(text: str) -> int:
    """Return the width at which the lines of a text were wrapped; 0 if they were not."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    breaks = [
        (line, first_word(after))
        for line, after in zip(lines, lines[1:], strict=False)
        if line.strip() and after.strip() and not after.startswith((" ", "\t"))
    ]
    if len(breaks) < FEWEST:
        return 0
    lengths = sorted(len(line.rstrip()) for line in lines if line.strip())
    width = lengths[int(0.99 * (len(lengths) - 1))]
    if width > WIDEST or sum(ENDED.search(line.rstrip()) is not None for line, _ in breaks) > (
        len(breaks) / 2
    ):
        return 0
    full = sum(len(word) <= LONG_WORD and is_full(line, word, width) for line, word in breaks)
    return width if full >= MOST * len(breaks) else 0


def unwrapped(text: str, width: int) -> str:
    """Return a text with each paragraph of wrapped lines as one line."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    joined = lines[:1]
    for line, after in zip(lines, lines[1:], strict=False):
        flows = line.strip() and after.strip() and not after.startswith((" ", "\t"))
        if flows and is_full(line, first_word(after), width):
            joined[-1] = f"{joined[-1].rstrip()} {after}"
        else:
            joined.append(after)
    return "\n".join(joined)


def first_word(line: str) -> str:
    """Return the first word of a line; "" if it has none."""
    return next(iter(line.split(None, 1)), "")


def is_full(line: str, word: str, width: int) -> bool:
    """Return whether a word did not fit into a line any more."""
    return len(line.rstrip()) + 1 + len(word) > FULL * width
