"""Finds the runs of a story in the index of a token store, which `python -m trainer.corpus index`
builds.

A run is a part of the story that stands in a training story token for token, from one word boundary
to another in both. A run is reported if it is maximal (no longer run contains it) and rare: tokens
drawn independently with their frequencies give it with a probability of at most 10^-`RARE`. Both
conditions are those of OLMoTrace (Liu et al. 2025, arXiv:2504.07096), which keeps a fixed number of
the rarest runs and ends runs at full stops.

How: one vectorised binary search looks up the `WINDOW` tokens from each word boundary in the suffix
arrays of all parts. That bounds where a run from there can end, and few runs are left to look up
whole. docs/trace.md specifies the files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from playground.folder.detokenizer import bytes_of
from playground.trace.copied import Run, Source, Trace, copied_words, word_spans

FORMAT = 2
RARE = 22.0  # such runs cover as much of held-out stories as 8-word runs do (docs/LOG.md)
WINDOW = 16  # tokens; few runs are longer
AROUND = 150  # tokens shown on each side of a run
HELD_OUT = 50  # stories
LEFT_OUT = " \n.,;:!?"  # not shown at the start of a run


class Index:
    """An open index.

    Attributes:
        corpus: the name of the token store.
        tokenizer: the tokenizer of the store.
        tokens: the training tokens, (tokens,) uint16.
        suffixes: the suffix arrays of all parts, one after the other, (tokens,) uint32. A position
            counts from the first token of its part.
        starts, ends: the first token of each part and the one after its last, (parts, 1) int64;
            also the rows of its suffix array.
        stories: the first token of each story, (stories,) int64.
    """

    def __init__(self, store: Path) -> None:
        """Open the index of a token store.

        Raises:
            ValueError: the index is missing, damaged, of another format or of another store.
        """
        folder = store / "index"
        self.again = f"build it with python -m trainer.corpus index {store}"
        about = read_checksummed(store / "store.json", "build the store again")
        info = read_checksummed(folder / "index.json", self.again)
        if (version := info.get("format")) != FORMAT:
            raise ValueError(f"{folder} has format {version}, not {FORMAT}: {self.again}.")
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
        self.tokens = mapped(store / "train" / "tokens.bin", "<u2")
        self.stories = mapped(folder / "stories.bin", "<i8")
        self.suffixes = mapped(folder / "suffixes.bin", "<u4")
        self.ends = np.cumsum(info["parts"])[:, None]
        self.starts = self.ends - np.array(info["parts"])[:, None]
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
        """Return the rare runs of a text, each with at most `sources` sources."""
        spans = word_spans(text)
        runs = self.described_runs(text, spans, sources)
        copied = copied_words(runs, spans)
        return Trace(text, tuple(runs), len(spans), copied, self.corpus, self.held_out)

    @cached_property
    def held_out(self) -> float | None:
        """The share of copied words in the first held-out stories of the store, which the model
        was not trained on; None if the store has no held-out stories."""
        file = self.store / "validation" / "tokens.bin"
        ids = np.fromfile(file, "<u2", count=100 * 2**10) if file.is_file() else np.empty(0, "<u2")
        ends = np.flatnonzero(ids == self.end_of_text)[:HELD_OUT]
        copied = count = 0
        for story in np.split(ids, ends)[:-1]:
            text = self.text(story)
            spans = word_spans(text)
            copied += copied_words(self.described_runs(text, spans, 0), spans)
            count += len(spans)
        return copied / count if count else None

    def described_runs(self, text: str, spans: list[tuple[int, int]], sources: int) -> list[Run]:
        """Return the rare runs of a text in the order of their starts, with at most `sources`
        sources each. `spans`: where the words of the text are."""
        text = text.encode(errors="replace").decode()  # half a surrogate pair cannot be tokenized
        ids = np.array(self.tokenizer.encode(text, add_special_tokens=False).ids, dtype="<u2")
        offsets, described = self.offsets(ids), []
        for start, end, places in self.runs(ids):
            first, last = offsets[start], offsets[end]
            first += len(text[first:last]) - len(text[first:last].lstrip(LEFT_OUT))
            last -= len(text[first:last]) - len(text[first:last].rstrip())
            numbers = np.searchsorted(self.stories, places, "right") - 1
            stories, at = np.unique(numbers, return_index=True)
            shown = zip(stories[:sources].tolist(), places[at[:sources]].tolist(), strict=True)
            described.append(
                Run(
                    start=first,
                    end=last,
                    words=sum(first <= begin and until <= last for begin, until in spans),
                    rarity=round(float(self.rarity[ids[start:end]].sum()), 2),
                    stories=len(stories),
                    sources=tuple(
                        self.source(story, place, end - start, first - offsets[start])
                        for story, place in shown
                    ),
                )
            )
        return described

    def runs(self, ids: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
        """Yield the rare maximal runs of a story's (n,) uint16 ids: the first token, the one after
        the last, and the positions of the run in the training tokens."""
        inside = self.ends_inside[ids[:-1]] & self.begins_inside[ids[1:]]
        is_boundary = np.concatenate([[True], ~inside, [True]])
        rarity = np.concatenate([[0.0], np.cumsum(self.rarity[ids])])
        starts = np.flatnonzero(is_boundary[:-1])
        reach = 0
        for start, furthest in zip(starts.tolist(), self.furthest(ids, starts), strict=True):
            for end in range(furthest, reach, -1):
                if rarity[end] - rarity[start] < RARE:
                    break
                if is_boundary[end]:
                    places = self.places(ids[start:end])
                    if len(places):
                        yield start, end, places
                        reach = end
                        break

    def furthest(self, ids: np.ndarray, starts: np.ndarray) -> list[int]:
        """Return an upper bound of the end of the longest run from each start, (starts,) int.

        It is exact if the run is shorter than `WINDOW`. A longer run ends at the latest where the
        longest run from a later start ends, because that run contains the rest of it."""
        padded = np.append(ids, np.full(WINDOW, self.end_of_text, "<u2"))
        windows = padded[starts[:, None] + np.arange(WINDOW)]
        rows = self.rows(windows.view(f"S{windows.itemsize * WINDOW}")[:, 0])
        # What shares most tokens with a window is beside the row where the window would stand.
        beside = np.stack([np.maximum(rows - 1, self.starts), np.minimum(rows, self.ends - 1)])
        is_shared = np.logical_and.accumulate(self.following(beside, WINDOW) == windows, axis=-1)
        longest = is_shared.sum(axis=-1).max(axis=(0, 1))
        bounds = np.where(longest < WINDOW, starts + longest, len(ids)).clip(max=len(ids))
        furthest: list[int] = np.minimum.accumulate(bounds[::-1])[::-1].tolist()
        return furthest

    def places(self, run: np.ndarray) -> np.ndarray:
        """Return where a run stands between word boundaries: positions in the training tokens,
        (n,) int64."""
        after = (int.from_bytes(run.tobytes(), "big") + 1).to_bytes(run.nbytes, "big")
        bounds = self.rows(np.array([run.tobytes(), after], f"S{run.nbytes}"))
        found = np.concatenate(
            [
                self.suffixes[first:end].astype(np.int64) + start
                for (first, end), start in zip(bounds, self.starts, strict=True)
            ]
        )
        try:
            before, following = self.tokens[found - 1], self.tokens[found + len(run)]
        except IndexError:
            raise ValueError(f"the index of {self.corpus} is damaged: {self.again}.") from None
        inside = self.ends_inside[before] & self.begins_inside[run[0]]
        inside |= self.ends_inside[run[-1]] & self.begins_inside[following]
        return np.sort(found[~inside])

    def rows(self, wanted: np.ndarray) -> np.ndarray:
        """Return the row of each part's suffix array before which all suffixes are less than a
        byte string, for (n,) strings of one size: (parts, n) int64.

        Uniform binary search (Knuth, volume 3, 6.2.1), of all strings and parts at once."""
        rows = np.repeat(self.starts, len(wanted), axis=1)
        for power in reversed(range(int((self.ends - self.starts).max()).bit_length())):
            ahead = rows + 2**power
            last = self.following(np.minimum(ahead, self.ends) - 1, wanted.itemsize // 2)
            is_less = last.view(wanted.dtype)[..., 0] < wanted
            rows = np.where(is_less & (ahead <= self.ends), ahead, rows)
        return rows

    def following(self, rows: np.ndarray, count: int) -> np.ndarray:
        """Return the first tokens of the suffixes in (..., parts, n) rows: (..., parts, n, count)
        uint16.

        They may reach into the next story or beyond the last token, which is repeated. A story has
        no end-of-text, so what follows an end-of-text does not change a comparison."""
        places = self.suffixes[rows] + self.starts
        tokens: np.ndarray = self.tokens.take(places[..., None] + np.arange(count), mode="clip")
        return tokens

    def source(self, story: int, place: int, length: int, left_out: int) -> Source:
        """Return the part of a training story around a run of `length` tokens at a place. The first
        `left_out` characters of the run are not shown."""
        start, stop = int(self.stories[story]), place + length
        last = story + 1 == len(self.stories)
        end = (len(self.tokens) if last else int(self.stories[story + 1])) - 1  # its end-of-text
        begin, finish = max(start, place - AROUND), min(end, stop + AROUND)
        before = "…" * (begin > start) + self.text(self.tokens[begin:place])
        run = self.text(self.tokens[place:stop])
        after = self.text(self.tokens[stop:finish]) + "…" * (finish < end)
        return Source(story, before + run[:left_out], run[left_out:], after)

    def text(self, ids: np.ndarray) -> str:
        """Return the text of token ids."""
        pieces = (self.token_bytes[number] for number in ids.tolist())
        return b"".join(pieces).decode(errors="replace")

    def offsets(self, ids: np.ndarray) -> list[int]:
        """Return the number of characters before each token, and that of all: n + 1."""
        pieces = [self.token_bytes[number] for number in ids.tolist()]
        begun = [sum(byte & 0xC0 != 0x80 for byte in piece) for piece in pieces]
        return [0, *np.cumsum(begun).tolist()]


def mapped(file: Path, dtype: str) -> np.ndarray:
    """Return the numbers of a file, which are read when they are used."""
    return np.asarray(np.memmap(file, dtype, "r"))


def is_inside(piece: bytes, at: int) -> bool:
    """Return whether a token's first (0) or last (-1) character may be inside a word: a letter, a
    digit, an apostrophe, or a part of a character."""
    text = piece.decode(errors="replace")
    return bool(text) and (text[at].isalnum() or text[at] in "'’\ufffd")


def read_checksummed(file: Path, remedy: str) -> dict[str, Any]:
    """Return a JSON object of the trainer without its key `sha256`, the checksum of the others.

    Raises:
        ValueError: the file is missing, or the checksum is another.
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
