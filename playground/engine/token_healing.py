"""Where a text that a person typed meets the first token that the model writes.

A text is cut into tokens from its beginning, so its end may not be the end of a token: after the
space that belongs to the next word, or in the middle of a word. The model's first tokens must then
begin with the characters that stand there (token healing).
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from typing import NamedTuple

import numpy as np

from playground.core.library import QUESTION, Head

BLANKS = re.compile(r"[ \t\u00a0]{1,32}\Z")  # the same in web/sources/local/token_healing.js
WORD = re.compile(r"(?: |(?<![^\W_]))[^\W_]{1,32}\Z")


class Seam(NamedTuple):
    """The end of a typed text.

    Attributes:
        bare: the text before that end.
        begins: the text with which the model's first tokens must begin; "" for any.
        word: ids of `begins` where that is a word, which the model may find finished.
    """

    bare: str
    begins: str = ""
    word: tuple[int, ...] = ()


NO_SEAM = Seam("")


class Beginnings:
    """The tokens of a vocabulary, by the bytes with which they begin."""

    def __init__(self, tokens: list[bytes]) -> None:
        ids = sorted(range(len(tokens)), key=tokens.__getitem__)
        self._sorted = [tokens[token_id] for token_id in ids]
        self._ids = np.array(ids, dtype=np.int32)

    def longer_than(self, start: bytes) -> np.ndarray:
        """Return the ids of tokens that begin with `start` and are longer."""
        return self._ids[bisect_right(self._sorted, start) : self._end(start)]

    def not_spelling(self, start: bytes) -> np.ndarray:
        """Return the ids of tokens that neither begin with `start` nor are a beginning of it."""
        banned = np.ones(len(self._ids), dtype=bool)
        for length in range(1, len(start)):
            piece = start[:length]
            low, high = bisect_left(self._sorted, piece), bisect_right(self._sorted, piece)
            banned[self._ids[low:high]] = False
        banned[self._ids[bisect_left(self._sorted, start) : self._end(start)]] = False
        return np.flatnonzero(banned).astype(np.int32)

    def _end(self, start: bytes) -> int:
        """Return where the tokens that begin with `start` end; no byte of a text is 255."""
        return bisect_left(self._sorted, start[:-1] + bytes([start[-1] + 1]))


def is_finished(head: Head, logits: np.ndarray, word: int, longer: np.ndarray) -> bool:
    """Return whether a word is finished: whether by the logits (unique,) its first token `word` is
    at least as likely as all `longer` tokens together, and so has half of their common
    probability."""
    question = np.zeros(1, QUESTION)
    banned = np.delete(np.arange(head.ids, dtype=np.int32), [*longer, word])
    question[["temperature", "top_p", "repetition_penalty", "known"]] = (1, 1, 1, -1)
    question[["num_banned", "banned"]] = (len(banned), banned.ctypes.data)
    answer = head.answer(logits, question[0])
    return bool(answer["id"] == word and answer["chosen"] >= 0.5)
