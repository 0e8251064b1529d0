"""Finds the runs of a story in the index of a corpus, which `python -m trainer.corpus index` makes.

A run is a part of the story from one word boundary to another that stands, token for token, in a
training story, from one word boundary to another there too. It is reported if it is maximal, which
is that no longer run contains it, and if it is rare: tokens drawn one by one with their frequencies
would give it with a probability of at most 10^-`RARE`. Both as in OLMoTrace (Liu et al. 2025,
arXiv:2504.07096), which keeps a fixed number of the rarest runs and ends runs at full stops.

How: for each start, binary search in the suffix array finds the training text that shares most with
the rest of the story. docs/trace.md describes the files.
"""

from __future__ import annotations

import hashlib
import json
import mmap
from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from playground.folder.detokenizer import bytes_of
from playground.trace.copied import Run, Source, Trace, copied_words, word_spans

FORMAT = 1
RARE = 22.0  # such runs cover as much of unseen stories as 8-word runs do (docs/LOG.md)
AROUND = 150  # tokens shown on each side of a run
HELD_OUT = 50  # stories
LEFT_OUT = " \n.,;:!?"  # of what is shown of a run, at its start


class Index:
    """An open index.

    Attributes:
        corpus: the name of its stories.
        tokenizer: whose ids they are.
    """

    def __init__(self, store: Path) -> None:
        """Open the index of a store.

        Raises:
            ValueError: it is missing, damaged, of another format or of another store.
        """
        folder = store / "index"
        self.again = f"build it with python -m trainer.corpus index {store}"
        about = read_checksummed(store / "store.json", "build the store again")
        info = read_checksummed(folder / "index.json", self.again)
        if info.get("format") != FORMAT:
            found = info.get("format")
            raise ValueError(f"{folder} has format {found}, not {FORMAT}: {self.again}.")
        if info["store"] != about["fingerprint"]:
            raise ValueError(f"{folder} is the index of another store: {self.again}.")
        sizes = {folder / name: file["bytes"] for name, file in info["files"].items()}
        for name, shards in about["splits"]["train"]["files"].items():
            sizes[store / "train" / name] = sum(shard["bytes"] for shard in shards)
        for file, size in sizes.items():
            if not file.is_file() or file.stat().st_size != size:
                raise ValueError(f"{file} is missing or not as it was written: {self.again}.")
        self.corpus, self.store = str(about["name"]), store
        self.end_of_text = int(info["end_of_text"])
        self.tokens: np.ndarray = np.memmap(store / "train" / "tokens.bin", "<u2", "r")
        self.stories: np.ndarray = np.memmap(folder / "stories.bin", "<i8", "r")
        with (store / "train" / "tokens.bin").open("rb") as opened:
            data = mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ)
        starts = np.cumsum([0, *info["parts"]]).tolist()
        files = [folder / f"suffixes-{number:03}.bin" for number in range(len(info["parts"]))]
        self.parts = [Part(file, data, start) for file, start in zip(files, starts, strict=False)]
        counts = np.fromfile(store / "train" / "id_counts.bin", "<i8")
        self.rarity = -np.log10(np.maximum(counts, 1) / len(self.tokens))
        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.encode_special_tokens = True  # an end-of-text mark in a story is plain text
        self.token_bytes = [
            bytes_of(self.tokenizer.id_to_token(number) or "") for number in range(len(counts))
        ]
        self.token_bytes[self.end_of_text] = b""
        self.begins_inside = np.array([is_inside(piece, 0) for piece in self.token_bytes])
        self.ends_inside = np.array([is_inside(piece, -1) for piece in self.token_bytes])

    def trace(self, text: str, sources: int) -> Trace:
        """Find the rare runs of a text, each with at most so many sources."""
        spans = word_spans(text)
        runs = self.found(text, spans, sources)
        copied = copied_words(runs, spans)
        return Trace(text, tuple(runs), len(spans), copied, self.corpus, self.held_out)

    @cached_property
    def held_out(self) -> float | None:
        """The share of copied words in the first held-out stories of the store, which the model
        has not read; None if the store holds none out."""
        file = self.store / "validation" / "tokens.bin"
        ids = np.fromfile(file, "<u2", count=100 * 2**10) if file.is_file() else np.empty(0, "<u2")
        ends = np.flatnonzero(ids == self.end_of_text)[:HELD_OUT]
        copied = count = 0
        for story in np.split(ids, ends)[:-1]:
            text = self.text(story)
            spans = word_spans(text)
            copied += copied_words(self.found(text, spans, 0), spans)
            count += len(spans)
        return copied / count if count else None

    def found(self, text: str, spans: list[tuple[int, int]], sources: int) -> list[Run]:
        """Return the rare runs of a text with some word spans, in the order of their starts."""
        text = text.encode(errors="replace").decode()  # lone surrogates
        ids = np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, dtype="<u2")
        offsets, found = self.offsets(ids), []
        for start, end, places in self.runs(ids):
            first, last = offsets[start], offsets[end]
            first += len(text[first:last]) - len(text[first:last].lstrip(LEFT_OUT))
            last -= len(text[first:last]) - len(text[first:last].rstrip())
            numbers = np.searchsorted(self.stories, places, "right") - 1
            stories, at = np.unique(numbers, return_index=True)
            shown = zip(stories[:sources].tolist(), places[at[:sources]].tolist(), strict=True)
            found.append(
                Run(
                    start=first,
                    end=last,
                    words=sum(first <= begin and until <= last for begin, until in spans),
                    rarity=round(float(self.rarity[ids[start:end]].sum()), 2),
                    stories=len(stories),
                    sources=tuple(
                        self.source(*one, end - start, first - offsets[start]) for one in shown
                    ),
                )
            )
        return found

    def runs(self, ids: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the rare maximal runs of a story's (n,) uint16 ids: first token, the one after the
        last, and where they stand in the training tokens."""
        inside = self.ends_inside[ids[:-1]] & self.begins_inside[ids[1:]]
        is_boundary = np.concatenate([[True], ~inside, [True]])
        rarity = np.concatenate([[0.0], np.cumsum(self.rarity[ids])])
        data = ids.tobytes()
        reach = 0
        for start in np.flatnonzero(is_boundary[:-1]).tolist():
            longest = start + max(part.longest(data[2 * start :]) for part in self.parts)
            for end in range(longest, reach, -1):
                if rarity[end] - rarity[start] < RARE:
                    break
                if is_boundary[end]:
                    places = self.places(ids[start:end])
                    if len(places):
                        yield start, end, places
                        reach = end
                        break

    def places(self, run: np.ndarray) -> np.ndarray:
        """Where a run stands between word boundaries: positions in the training tokens, (n,)
        int64."""
        found = np.concatenate([part.places(run.tobytes()) for part in self.parts])
        try:
            before, after = self.tokens[found - 1], self.tokens[found + len(run)]
        except IndexError:
            raise ValueError(f"the index of {self.corpus} is damaged: {self.again}.") from None
        inside = self.ends_inside[before] & self.begins_inside[run[0]]
        inside |= self.ends_inside[run[-1]] & self.begins_inside[after]
        return np.sort(found[~inside])

    def source(self, story: int, place: int, length: int, left_out: int) -> Source:
        """A training story around a run of `length` tokens at a place, of which the first
        `left_out` characters are not shown."""
        start, stop = int(self.stories[story]), place + length
        last = story + 1 == len(self.stories)
        end = (len(self.tokens) if last else int(self.stories[story + 1])) - 1  # its end-of-text
        begin, finish = max(start, place - AROUND), min(end, stop + AROUND)
        before = "…" * (begin > start) + self.text(self.tokens[begin:place])
        run = self.text(self.tokens[place:stop])
        after = self.text(self.tokens[stop:finish]) + "…" * (finish < end)
        return Source(story, before + run[:left_out], run[left_out:], after)

    def text(self, ids: np.ndarray) -> str:
        """The text of some ids."""
        pieces = (self.token_bytes[number] for number in ids.tolist())
        return b"".join(pieces).decode(errors="replace")

    def offsets(self, ids: np.ndarray) -> list[int]:
        """The characters before each token, and those of all: n + 1."""
        pieces = [self.token_bytes[number] for number in ids.tolist()]
        begun = [sum(byte & 0xC0 != 0x80 for byte in piece) for piece in pieces]
        return [0, *np.cumsum(begun).tolist()]


class Part:
    """The suffix array of a part of the training tokens."""

    def __init__(self, file: Path, data: mmap.mmap, first: int) -> None:
        """`data` holds all training tokens, and the part begins with token `first`."""
        self.suffixes: np.ndarray = np.memmap(file, "<u4", "r")
        self.numbers = memoryview(self.suffixes.data)  # gives Python's integers, and quickly
        self.data, self.first = data, first

    def after(self, place: int, size: int) -> bytes:
        """The first bytes of the tokens that begin at a place of the part."""
        start = 2 * (self.first + place)
        return self.data[start : start + size]

    def longest(self, wanted: bytes) -> int:
        """How many of the first tokens of `wanted` stand somewhere in the part one after the
        other."""
        at = bisect_left(self.numbers, wanted, key=lambda place: self.after(place, len(wanted)))
        beside = (self.numbers[row] for row in (at - 1, at) if 0 <= row < len(self.numbers))
        return max(shared(wanted, self.after(place, len(wanted))) for place in beside)

    def places(self, run: bytes) -> np.ndarray:
        """Where a run stands in the training tokens: (n,) int64."""
        ends = [
            search(self.numbers, run, key=lambda place: self.after(place, len(run)))
            for search in (bisect_left, bisect_right)
        ]
        return self.suffixes[slice(*ends)].astype(np.int64) + self.first


def shared(one: bytes, other: bytes) -> int:
    """Return the number of tokens that two sequences share at their start."""
    for start in range(0, len(one), 2):
        if one[start : start + 2] != other[start : start + 2]:
            return start // 2
    return len(one) // 2


def is_inside(piece: bytes, at: int) -> bool:
    """Whether a token's first (0) or last (-1) character may be inside a word: a letter, a digit,
    an apostrophe, or a part of a character."""
    text = piece.decode(errors="replace")
    return bool(text) and (text[at].isalnum() or text[at] in "'’\ufffd")


def read_checksummed(file: Path, remedy: str) -> dict[str, Any]:
    """A JSON object whose key `sha256` is of the others, as the trainer writes it.

    Raises:
        ValueError: it is not there, or not as it was written.
    """
    try:
        info: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        checksum = info.pop("sha256")
    except FileNotFoundError:
        raise ValueError(f"{file} is missing: {remedy}.") from None
    except (OSError, ValueError, LookupError, AttributeError):
        raise ValueError(f"{file} is damaged: {remedy}.") from None
    body = json.dumps(info, indent=1, ensure_ascii=False)
    if hashlib.sha256(body.encode()).hexdigest() != checksum:
        raise ValueError(f"{file} is damaged: {remedy}.")
    return info
