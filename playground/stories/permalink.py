"""Decode a story from a link, which the page encodes (docs/permalink.md, web/story/permalink.js).

A link holds model, settings and seeds, from which the story can be generated again, and the ids of
the tokens with the writer of each, which verify that the model wrote it. Tokens that are common in
stories (web/story/common_tokens.json) have short codes.
"""

from __future__ import annotations

import base64
import itertools
import json
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

from playground.sampling import ROWS, Row, Settings

# What the runs need. The version is 1 + 2 * kind, plus 1 if the story has branches. Versions 1 and
# 2 name no tokenizer, and their `begins_with` is one space or nothing. 5 and 6 have later settings.
PLAIN, NAMED, LATER = range(3)
TOKENIZER_DIGITS, UNKNOWN = 4, "0000"  # hexadecimal, of the tokenizer's fingerprint
RANK_BITS = (5, 8, 11)  # of a common token, by the number of ones before its rank
RARE_BITS = 20  # of the id of any other token
RUNS_MAX, TOKENS_MAX = 500, 10_000
BRANCHES_MAX, SPREAD_MAX = 200, 50_000  # branches; tokens of all branches, shared ones repeated
SETTINGS_MAX = 1_000  # the highest number of a setting
TEXT_MAX = 60_000  # characters; longer links are refused before they are decoded
CANDIDATES_MAX = 4_000  # parts of a pasted text that are tried as a link
BY_NUMBER = {row.link: row for row in sorted(ROWS, key=lambda row: row.link) if row.link}
ALWAYS, WORDS, FIRST_LATER = range(1, 8), 8, 9  # numbers of settings
IN_ADDRESS = re.compile(r"/s/|[?&]story=")
ALONE = re.compile(r"(?<![\w-])(?=[\w-]{8})", re.ASCII)  # the shortest link has 8 characters
BASE64 = re.compile(r"[\w-]*", re.ASCII)
LINE_BREAK = re.compile(r"=?[ \t]*[\r\n]+[\s>]*")  # with the quotation marks of mails
DAMAGED = "This link is cut off or was altered: ask for it again."
NEWER = "This link was made by a newer version: this one cannot read it."


@dataclass(frozen=True)
class Run:
    """One request to the model, which wrote a part of a story.

    Attributes:
        settings: with the seed; the length is not kept.
        begins_with: the typed start of its first word, perhaps only the space before it, which its
            first tokens must spell (token healing).
        beyond_end: the story had ended; the first token was not allowed to be the end token.
    """

    settings: Settings
    begins_with: str = ""
    beyond_end: bool = False


@dataclass(frozen=True)
class Branch:
    """Another branch of a story.

    Attributes:
        leaves: the branch from which it branches off: 0 is the story itself, k its k-th branch,
            which precedes this one.
        shared: number of tokens that it shares with that branch, from the start.
        name: given by a person.
        tokens: (id, run) after the shared ones.
    """

    leaves: int
    shared: int
    name: str
    tokens: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Permalink:
    """The content of a link.

    Attributes:
        model: the first 16 hexadecimal digits of the model's fingerprint.
        name: the model's name.
        runs: the requests to the model; tokens name them by index.
        tokens: (id, run) in order; run -1 for tokens that a person wrote.
        branches: the other branches of the story.
        tokenizer: the first 4 hexadecimal digits of the tokenizer's fingerprint; "" in a link of
            version 1 or 2.
    """

    model: str
    name: str
    runs: tuple[Run, ...]
    tokens: tuple[tuple[int, int], ...]
    branches: tuple[Branch, ...] = ()
    tokenizer: str = ""

    def has_tokenizer(self, fingerprint: str) -> bool:
        """Return whether the tokenizer with that fingerprint has the link's ids, or may have them
        where the link does not name its tokenizer."""
        return self.tokenizer == UNKNOWN or fingerprint.startswith(self.tokenizer)

    @property
    def segments(self) -> list[tuple[int, int, int]]:
        """Return (run, start, end) of each stretch of tokens with the same writer."""
        segments, start = [], 0
        for run, part in itertools.groupby(run for _, run in self.tokens):
            end = start + len(list(part))
            segments.append((run, start, end))
            start = end
        return segments


def decode(text: str) -> Permalink:
    """Return the content of a link's text.

    Raises:
        ValueError: the text is cut off, altered, or of a newer version.
    """
    data = data_of(text)
    if data is None:
        raise ValueError(DAMAGED)
    bits = Reader(data)
    kind, has_branches = divmod(bits.take(4) - 1, 2)
    if not PLAIN <= kind <= LATER:
        raise ValueError(NEWER)
    model = bits.digits(16)
    tokenizer = "" if kind == PLAIN else bits.digits(TOKENIZER_DIGITS)
    name = bits.text(6)
    runs = tuple(read_run(bits, kind) for _ in range(bits.number(RUNS_MAX)))
    tokens = bits.tokens(len(runs))
    branches = read_branches(bits, len(runs), len(tokens)) if has_branches else ()
    bits.end()
    return Permalink(model, name, runs, tokens, branches, tokenizer)


def other_tokenizer(link: Permalink) -> str:
    """Return the message for a link whose tokenizer no open model has."""
    model = f"the model {link.name}" if link.name else "another model"
    return (
        f"this story was written by {model}, which has another tokenizer than the model here: open "
        "the link with that model, or with one that has the same tokenizer."
    )


def data_of(text: str) -> bytes | None:
    """Return the bytes of a link's text without their checksum; None if the checksum is wrong."""
    if len(text) > TEXT_MAX:
        return None
    try:
        decoded = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        return None
    data = decoded[:-4]
    is_valid = len(decoded) >= 5 and zlib.crc32(data) == int.from_bytes(decoded[-4:], "big")
    return data if is_valid else None


def read_branches(bits: Reader, num_runs: int, length: int) -> tuple[Branch, ...]:
    """Return the branches of a story that has `length` tokens."""
    branches: list[Branch] = []
    lengths = [length]
    for _ in range(bits.number(BRANCHES_MAX)):
        leaves = bits.number(len(branches))
        shared = bits.number(lengths[leaves])
        branches.append(Branch(leaves, shared, bits.text(6), bits.tokens(num_runs)))
        lengths.append(shared + len(branches[-1].tokens))
        if lengths[-1] > TOKENS_MAX or sum(lengths) > SPREAD_MAX:
            raise ValueError(DAMAGED)
    if not branches:
        raise ValueError(DAMAGED)
    return tuple(branches)


def text_of(pasted: str) -> str:
    """Return the link's text in a pasted text: an address (/s/TEXT, ?story=TEXT) or TEXT itself,
    inside or broken by the markup of chats and mails.

    The checksum tells which part is the link. If none is valid, return the first candidate, which
    `decode` then refuses.
    """
    first = None
    for text in itertools.islice(candidates(pasted[: 4 * TEXT_MAX]), CANDIDATES_MAX):
        if data_of(text) is not None:
            return text
        first = text if first is None else first
    return first or ""


def candidates(pasted: str) -> Iterator[str]:
    """Yield the possible texts of a link, the most likely first."""
    versions = [pasted, unquote(pasted), unquote(unquote(pasted))]  # mail filters escape addresses
    for start in (IN_ADDRESS, ALONE):
        for version in dict.fromkeys(versions):
            for match in start.finditer(version):
                text, position = "", match.end()
                while len(text) <= TEXT_MAX:
                    part = BASE64.match(version, position)
                    text += part[0] if part else ""
                    yield from dict.fromkeys((text, text.rstrip("_-")))  # _link_ in Markdown
                    line_break = part and LINE_BREAK.match(version, part.end())
                    if not line_break:
                        break
                    position = line_break.end()


def read_run(bits: Reader, kind: int) -> Run:
    """Return one run."""
    values = {row.name: row.neutral for number, row in BY_NUMBER.items() if number >= FIRST_LATER}
    values |= {BY_NUMBER[number].name: bits.setting(BY_NUMBER[number]) for number in ALWAYS}
    begins_with = " " if kind == PLAIN and bits.take(1) else ""
    beyond_end = bool(bits.take(1))
    if kind != PLAIN:
        begins_with = bits.text()
    values[BY_NUMBER[WORDS].name] = bits.setting(BY_NUMBER[WORDS])
    for _ in range(bits.number(SETTINGS_MAX) if kind == LATER else 0):
        row = BY_NUMBER.get(bits.number(SETTINGS_MAX))
        if row is None or row.link < FIRST_LATER:
            raise ValueError(NEWER)
        values[row.name] = bits.setting(row)
    try:
        return Run(Settings(**values), begins_with, beyond_end)
    except ValueError:
        raise ValueError(DAMAGED) from None


@lru_cache(1)
def common_tokens() -> list[int]:
    """Return the ids of common tokens, the most common first. The format depends on this list,
    which must never change."""
    file = resources.files("playground").joinpath("web", "story", "common_tokens.json")
    ids: list[int] = json.loads(file.read_text(encoding="utf-8"))
    return ids


class Reader:
    """Reads the bits of a link; raises ValueError for bits that the page does not write."""

    def __init__(self, data: bytes) -> None:
        self.bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
        self.at = 0

    def take(self, count: int) -> int:
        """Return the next `count` bits as a number."""
        bits = self.bits[self.at : self.at + count]
        self.at += count
        if len(bits) < count:
            raise ValueError(DAMAGED)
        return int(bits, 2) if count else 0

    def digits(self, count: int) -> str:
        """Return the next `count` hexadecimal digits."""
        return f"{self.take(4 * count):0{count}x}"

    def number(self, highest: int) -> int:
        """Return the next number up to `highest`, from groups of four bits, the lowest first; a
        bit before each says whether another follows."""
        value = shift = 0
        while True:
            group = self.take(5)
            value |= (group & 15) << shift
            shift += 4
            if group < 16:
                break
            if shift > 32:
                raise ValueError(DAMAGED)
        if value > highest or (shift > 4 and group == 0):
            raise ValueError(DAMAGED)
        return value

    def text(self, count: int = 0) -> str:
        """Return the next text; its number of bytes has `count` bits if given."""
        length = self.take(count) if count else self.number(400)
        try:
            return self.take(8 * length).to_bytes(length, "big").decode()
        except UnicodeDecodeError:
            raise ValueError(DAMAGED) from None

    def setting(self, row: Row) -> Any:
        """Return the next value of a setting: a float in thousandths, a seed in 32 bits."""
        if row.kind is float:
            return self.number(round(row.high * 1000)) / 1000
        if row.kind is int:
            return self.number(int(row.high)) if row.high < 2**16 else self.take(32)
        if row.kind is bool:
            return bool(self.take(1))
        return tuple(self.text() for _ in range(self.number(100)))

    def tokens(self, num_runs: int) -> tuple[tuple[int, int], ...]:
        """Return the next (id, run) of tokens: first the writer and length of each stretch, then
        the ids."""
        owners: list[int] = []
        for _ in range(self.number(TOKENS_MAX)):
            run, count = self.number(num_runs) - 1, self.number(TOKENS_MAX)
            if not count or len(owners) + count > TOKENS_MAX:
                raise ValueError(DAMAGED)
            owners += [run] * count
        table = common_tokens()
        return tuple((self.token(table), run) for run in owners)

    def token(self, table: list[int]) -> int:
        """Return the next token's id."""
        first = 0
        for width in RANK_BITS:
            if not self.take(1):
                return table[first + self.take(width)]
            first += 2**width
        return self.take(RARE_BITS)

    def end(self) -> None:
        """Raise ValueError if more than the padding follows."""
        padding = self.bits[self.at :]
        if len(padding) > 7 or "1" in padding:
            raise ValueError(DAMAGED)
