"""The rare maximal runs of a story by comparing it with every place of the training tokens, to
which the index is held."""

from __future__ import annotations

import numpy as np

SHORTEST = 4  # tokens of a run that is rare enough: one of 10M has a rarity of 7
WORD = "'’"

Found = list[tuple[int, int, list[int]]]


def joins(before: str, after: str) -> bool:
    """Whether a place between two texts is inside a word; half a character is a letter."""
    pair = before[-1:], after[:1]
    return all(one.isalnum() or one in (*WORD, "\ufffd") for one in pair) and "" not in pair


class BruteForce:
    """All training tokens, by their 4-grams."""

    def __init__(self, tokens: np.ndarray, texts: list[str]) -> None:
        """`texts`: what each id stands for."""
        self.tokens, self.texts = np.append(np.array(tokens), tokens[-1]), texts
        counts = np.bincount(tokens, minlength=len(texts))
        self.rarity = [float(-np.log10(count / len(tokens))) if count else 99.0 for count in counts]
        keys = self.keys(np.array(tokens))
        self.order = np.argsort(keys, kind="stable")
        self.keys_in_order = keys[self.order]

    def keys(self, ids: np.ndarray) -> np.ndarray:
        """A number for each 4-gram of some ids, the same for the same and no other."""
        wide, count = ids.astype(np.uint64), max(0, len(ids) - SHORTEST + 1)
        keys = np.zeros(count, dtype=np.uint64)
        for place in range(SHORTEST):
            keys = keys << np.uint64(16) | wide[place : place + count]
        return keys

    def runs(self, ids: list[int], rare: float) -> Found:
        """(first token, the one after the last, places) of the maximal runs."""
        longest = [self.longest(ids, start, rare) for start in range(len(ids))]
        found: Found = []
        for start, (end, places) in enumerate(longest):
            if end and all(until < end for until, _ in longest[:start]):
                found.append((start, end, places))
        return found

    def longest(self, ids: list[int], start: int, rare: float) -> tuple[int, list[int]]:
        """The end of the longest rare run that begins at a token, and its places; 0 without."""
        if start and joins(self.texts[ids[start - 1]], self.texts[ids[start]]):
            return 0, []
        keys = self.keys(np.array(ids[start : start + SHORTEST]))
        if not len(keys):
            return 0, []
        first, last = (
            np.searchsorted(self.keys_in_order, keys[0], side) for side in ("left", "right")
        )  # type: ignore[call-overload]
        places = [
            place
            for place in sorted(self.order[first:last].tolist())
            if not (place and self.inside(place))
        ]
        best: tuple[int, list[int]] = (0, [])
        for end in range(start + SHORTEST, len(ids) + 1):
            size = end - start
            places = [at for at in places if self.tokens[at + size - 1] == ids[end - 1]]
            if not places:
                break
            if end < len(ids) and joins(self.texts[ids[end - 1]], self.texts[ids[end]]):
                continue
            whole = [at for at in places if not self.inside(at + size)]
            if whole and sum(self.rarity[one] for one in ids[start:end]) >= rare:
                best = end, whole
        return best

    def inside(self, place: int) -> bool:
        """Whether a training token continues the word of the one before it."""
        before, after = self.tokens[place - 1 : place + 1].tolist()
        return joins(self.texts[before], self.texts[after])
