"""Incomplete characters: which tokens continue them.

A token of a byte-level vocabulary may begin and end in the middle of a character. What comes after
the beginning of a character must continue it, and no other token may begin with the rest of one, or
the story holds a broken character.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

# Well-formed UTF-8: table 3-7 of the Unicode standard. As in web/sources/local/characters.js.
WHOLE = (
    rb"[\x00-\x7f]|[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|"
    rb"[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]|"
    rb"\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
PART = (
    rb"[\xc2-\xdf]|\xe0[\xa0-\xbf]?|[\xe1-\xec\xee\xef][\x80-\xbf]?|\xed[\x80-\x9f]?|"
    rb"\xf0(?:[\x90-\xbf][\x80-\xbf]?)?|[\xf1-\xf3][\x80-\xbf]{0,2}|\xf4(?:[\x80-\x8f][\x80-\xbf]?)?"
)
BEGUN = re.compile(rb"(?:%s)\Z" % PART)
WELL_FORMED = re.compile(rb"(?:%s)*(?:%s)?" % (WHOLE, PART))
LONGEST = 3  # bytes of a character that is not whole


def begun(text: bytes) -> bytes:
    """Return the bytes of an incomplete character at the end of a text."""
    match = BEGUN.search(text[-LONGEST:])
    return match[0] if match else b""


def continues(part: bytes, token: bytes) -> bool:
    """Return whether a token continues the incomplete character `part`, and is well-formed after
    it."""
    return b"\x80" <= token[:1] <= b"\xbf" and WELL_FORMED.fullmatch(part + token) is not None


class Characters:
    """The tokens of a vocabulary, by the characters that they continue."""

    def __init__(self, tokens: list[bytes]) -> None:
        self._num_ids = len(tokens)
        self._rests = {k: rest for k, rest in enumerate(tokens) if b"\x80" <= rest[:1] <= b"\xbf"}
        self.not_continuing = lru_cache(maxsize=1_000)(self._not_continuing)

    def _not_continuing(self, part: bytes) -> np.ndarray:
        """Return the ids that must not follow an incomplete character: all that do not continue it;
        none if no token of the vocabulary does. If `part` is empty, the ids of tokens that begin
        with the rest of a character."""
        if not part:
            return np.array(list(self._rests), dtype=np.int32)
        good = [token_id for token_id, rest in self._rests.items() if continues(part, rest)]
        return np.delete(np.arange(self._num_ids if good else 0, dtype=np.int32), good)
