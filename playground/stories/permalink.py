"""A story in a link, and back, as docs/permalink.md describes and web/story/permalink.js does too.

A link holds what a story was made from (model, settings, seeds) and the ids of its tokens with who
wrote each. With the first the story can be written again, with the second compared: so a reader
knows whether the model really said so. Token ids are short where they are common in stories
(web/story/common_tokens.json).
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import unquote

from playground.sampling import ROWS, Row, Settings

# By what the runs hold, and whether the story has other branches. Versions 1 and 2 name no
# tokenizer, and know one space, and no other text, that the model's first token begins with.
# Versions 5 and 6 hold settings that came later.
PLAIN, NAMED, LATER = range(3)
VERSIONS = {(PLAIN, False): 1, (PLAIN, True): 2, (NAMED, False): 3, (NAMED, True): 4}
VERSIONS |= {(LATER, False): 5, (LATER, True): 6}
TOKENIZER_DIGITS, UNKNOWN = 4, "0000"  # hexadecimal, of the tokenizer's fingerprint
CLASSES = ((1, 5), (2, 8), (3, 11))  # of common tokens: bits of the prefix, bits of the rank
RARE_BITS = 20  # of any other id
NAME_MAX, RUNS_MAX, TOKENS_MAX = 63, 500, 10_000
BRANCHES_MAX, SPREAD_MAX = 200, 50_000  # branches, and tokens of all of them written out
SETTINGS_MAX = 1_000  # the highest number of a setting
TEXT_MAX = 60_000  # letters; more are refused before they are read
POSSIBLE_MAX = 4_000  # parts of what somebody passes on that are tried
BY_NUMBER = {row.link: row for row in sorted(ROWS, key=lambda row: row.link) if row.link}
ALWAYS, WORDS, FIRST_LATER = (
    range(1, 8),
    8,
    9,
)  # numbers of settings: before and after a run's flags
IN_ADDRESS = re.compile(r"/s/|[?&]story=")
ALONE = re.compile(r"(?<![\w-])(?=[\w-]{8})", re.ASCII)  # the shortest link has 8 characters
LETTERS = re.compile(r"[\w-]*", re.ASCII)
LINE_BREAK = re.compile(r"=?[ \t]*[\r\n]+[\s>]*")  # with what mails quote by
DAMAGED = "This link is cut off or was altered: ask for it again."
NEWER = "This link was made by a newer version: this one cannot read it."


@dataclass(frozen=True)
class Run:
    """How the model wrote a part of a story.

    Attributes:
        settings: with the seed; the length is not kept.
        begins_with: what a person had typed of its first word: the space before it, or half of it.
            Its first tokens spell that.
        beyond_end: the story was at its end, and the first token was not to be that again.
    """

    settings: Settings
    begins_with: str = ""
    beyond_end: bool = False


@dataclass(frozen=True)
class Branch:
    """Another way that a story has gone.

    Attributes:
        leaves: which branch it turns off: 0 is the story itself, k the k-th of its branches, an
            earlier one than this.
        shared: tokens that it has in common with that one, from the first on.
        name: what a person called it.
        tokens: (id, run) after those.
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
        name: what the model is called.
        runs: what the model wrote, in the order of their numbers.
        tokens: (id, run) in their order; run -1 for what a person wrote.
        branches: the other ways that the story has gone.
        tokenizer: the first 4 hexadecimal digits of the fingerprint of the tokenizer whose ids the
            tokens are; "" in a link that does not say.
    """

    model: str
    name: str
    runs: tuple[Run, ...]
    tokens: tuple[tuple[int, int], ...]
    branches: tuple[Branch, ...] = ()
    tokenizer: str = ""

    def has_tokenizer(self, fingerprint: str) -> bool:
        """Return whether the tokens are ids of the tokenizer with that fingerprint, as far as the
        link says."""
        return self.tokenizer == UNKNOWN or fingerprint.startswith(self.tokenizer)

    @property
    def segments(self) -> list[tuple[int, int, int]]:
        """(run, start, end) of the tokens that were written in one go."""
        found, start = [], 0
        for run, part in itertools.groupby(run for _, run in self.tokens):
            end = start + len(list(part))
            found.append((run, start, end))
            start = end
        return found


def encode(link: Permalink) -> str:
    """The link's text, of letters that need no escape in an address.

    Raises:
        ValueError: settings of more than three digits after the point, or too long a story.
    """
    if len(link.tokens) > TOKENS_MAX or len(link.runs) > RUNS_MAX:
        raise ValueError(f"a link holds at most {TOKENS_MAX:,} tokens and {RUNS_MAX} runs.")
    bits = Writer()
    kind = kind_of(link)
    bits.add(VERSIONS[kind, bool(link.branches)], 4)
    bits.digits(link.model, 16)
    if kind != PLAIN:
        bits.digits(link.tokenizer, TOKENIZER_DIGITS)
    bits.text(shortened(link.name), 6)
    bits.number(len(link.runs))
    for run in link.runs:
        add_run(bits, run, kind)
    bits.tokens(link.tokens)
    if link.branches:
        lengths = [len(link.tokens)]
        bits.number(len(link.branches))
        for branch in link.branches:
            bits.number(branch.leaves)
            bits.number(branch.shared)
            bits.text(shortened(branch.name), 6)
            bits.tokens(branch.tokens)
            lengths.append(branch.shared + len(branch.tokens))
        if len(link.branches) > BRANCHES_MAX or sum(lengths) > SPREAD_MAX:
            raise ValueError(
                f"a link holds at most {BRANCHES_MAX} branches and {SPREAD_MAX:,} tokens in all."
            )
    data = bits.bytes()
    text = base64.urlsafe_b64encode(data + zlib.crc32(data).to_bytes(4, "big")).decode().rstrip("=")
    if len(text) > TEXT_MAX:
        raise ValueError(f"a link has at most {TEXT_MAX:,} characters, not {len(text):,}.")
    return text


def decode(text: str) -> Permalink:
    """Return the content of a link's text.

    Raises:
        ValueError: it is cut off, altered, or of a newer version; one sentence.
    """
    data = data_of(text)
    if data is None:
        raise ValueError(DAMAGED)
    bits = Reader(data)
    kinds = {version: kind for kind, version in VERSIONS.items()}
    kind, has_branches = kinds.get(bits.take(4), (None, False))
    if kind is None:
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
        f"this story was written by {model}, which cuts words into other tokens than the model "
        "here: open the link with that model, or with one that has the same tokenizer."
    )


def data_of(text: str) -> bytes | None:
    """Return the bytes of a link's text before their checksum; None if it is not whole."""
    if len(text) > TEXT_MAX:
        return None
    try:
        whole = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (ValueError, binascii.Error):
        return None
    data = whole[:-4]
    is_whole = len(whole) >= 5 and zlib.crc32(data) == int.from_bytes(whole[-4:], "big")
    return data if is_whole else None


def read_branches(bits: Reader, num_runs: int, length: int) -> tuple[Branch, ...]:
    """Return the other branches of a story that has `length` tokens."""
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


def text_of(written: str) -> str:
    """Return the link's text in what somebody passes on: an address (/s/TEXT, ?story=TEXT) or TEXT
    itself, with what chats and mails put around it or break it with.

    The checksum says which part is the link. Where none is whole, the first part is returned, so
    that `decode` refuses it.
    """
    first = None
    for text in itertools.islice(possible_texts(written[: 4 * TEXT_MAX]), POSSIBLE_MAX):
        if data_of(text) is not None:
            return text
        first = text if first is None else first
    return first or ""


def possible_texts(written: str) -> Iterator[str]:
    """Yield what could be a link's text, the likeliest first."""
    versions = [written, unquote(written), unquote(unquote(written))]  # mail filters escape it
    for start in (IN_ADDRESS, ALONE):
        for version in dict.fromkeys(versions):
            for found in start.finditer(version):
                text, at = "", found.end()
                while len(text) <= TEXT_MAX:
                    letters = LETTERS.match(version, at)
                    text += letters[0] if letters else ""
                    yield from dict.fromkeys((text, text.rstrip("_-")))  # _link_ in Markdown
                    line_break = letters and LINE_BREAK.match(version, letters.end())
                    if not line_break:
                        break
                    at = line_break.end()


def shortened(name: str) -> str:
    """A name of at most 63 bytes, cut between letters."""
    return name.encode()[:NAME_MAX].decode(errors="ignore")


def kind_of(link: Permalink) -> int:
    """Return what the runs of a link must hold: the first key of `VERSIONS`."""
    if any(later_settings(run.settings) for run in link.runs):
        return LATER
    is_named = link.tokenizer or any(run.begins_with not in ("", " ") for run in link.runs)
    return NAMED if is_named else PLAIN


def later_settings(settings: Settings) -> list[Row]:
    """Return the settings that came later and are not neutral."""
    rows = [row for number, row in BY_NUMBER.items() if number >= FIRST_LATER]
    return [row for row in rows if getattr(settings, row.name) != row.neutral]


def add_run(bits: Writer, run: Run, kind: int) -> None:
    """Append one run; ValueError for what a link cannot hold."""
    for number in ALWAYS:
        bits.setting(BY_NUMBER[number], run.settings)
    if kind == PLAIN:
        bits.add(run.begins_with == " ", 1)
    bits.add(run.beyond_end, 1)
    if kind != PLAIN:
        bits.text(run.begins_with)
    bits.setting(BY_NUMBER[WORDS], run.settings)
    if kind == LATER:
        rows = later_settings(run.settings)
        bits.number(len(rows))
        for row in rows:
            bits.number(row.link)
            bits.setting(row, run.settings)


def read_run(bits: Reader, kind: int) -> Run:
    """Return one run."""
    values = {BY_NUMBER[number].name: bits.setting(BY_NUMBER[number]) for number in ALWAYS}
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
    """The ids that stories use most, the commonest first: part of the format, it never changes."""
    file = resources.files("playground").joinpath("web", "story", "common_tokens.json")
    ids: list[int] = json.loads(file.read_text(encoding="utf-8"))
    return ids


@lru_cache(1)
def common_ranks() -> dict[int, int]:
    """Return the index of each common token in the list of common tokens."""
    return {token_id: rank for rank, token_id in enumerate(common_tokens())}


class Writer:
    """Bits, the most significant first."""

    def __init__(self) -> None:
        self.bits: list[str] = []

    def add(self, value: int, count: int) -> None:
        """A number in `count` bits."""
        self.bits.append(f"{int(value):0{count}b}")

    def digits(self, text: str, count: int) -> None:
        """The first `count` hexadecimal digits of a text, filled up with zeros."""
        for digit in text[:count].ljust(count, "0"):
            self.add(int(digit, 16), 4)

    def number(self, value: int) -> None:
        """A number in groups of four bits, the lowest first, each after a bit: whether one more
        comes."""
        while value > 15:
            self.add(16 | value & 15, 5)
            value >>= 4
        self.add(value, 5)

    def text(self, text: str, count: int = 0) -> None:
        """A text's bytes after their number, in `count` bits if that is given."""
        data = text.encode()
        if count:
            self.add(len(data), count)
        else:
            self.number(len(data))
        for byte in data:
            self.add(byte, 8)

    def setting(self, row: Row, settings: Settings) -> None:
        """The value of one setting: a float in thousandths, a seed in 32 bits, a flag in one."""
        value = getattr(settings, row.name)
        if row.kind is float:
            if round(value * 1000) / 1000 != value:
                raise ValueError(f"a link holds {row.name} to three digits after the point only.")
            self.number(round(value * 1000))
        elif row.kind is int and row.high < 2**16:
            self.number(value)
        elif row.kind is not tuple:
            self.add(value, 1 if row.kind is bool else 32)
        else:
            self.number(len(value))
            for word in value:
                self.text(word)

    def tokens(self, tokens: Sequence[tuple[int, int]]) -> None:
        """(id, run) of tokens: first who wrote how many, then the ids."""
        owners = [run for _, run in tokens]
        segments = [(run, len(list(part))) for run, part in itertools.groupby(owners)]
        self.number(len(segments))
        for run, count in segments:
            self.number(run + 1)
            self.number(count)
        for token_id, _ in tokens:
            self.token(token_id, common_ranks().get(token_id))

    def token(self, token_id: int, rank: int | None) -> None:
        """A token by its rank among the common ones, or as it is."""
        first = 0
        for prefix, width in CLASSES:
            if rank is not None and rank - first < 2**width:
                self.add(2**prefix - 2, prefix)
                self.add(rank - first, width)
                return
            first += 2**width
        if not 0 <= token_id < 2**RARE_BITS:
            raise ValueError(f"a link cannot hold the token {token_id}.")
        self.add(7, 3)
        self.add(token_id, RARE_BITS)

    def bytes(self) -> bytes:
        """Return the bits as bytes, padded with zeros."""
        text = "".join(self.bits)
        text += "0" * (-len(text) % 8)
        return int(text, 2).to_bytes(len(text) // 8, "big")


class Reader:
    """The bits of a link; what is not there, or not as `Writer` writes it, is refused."""

    def __init__(self, data: bytes) -> None:
        self.bits = f"{int.from_bytes(data, 'big'):0{8 * len(data)}b}"
        self.at = 0

    def take(self, count: int) -> int:
        """A number of `count` bits."""
        found = self.bits[self.at : self.at + count]
        self.at += count
        if len(found) < count:
            raise ValueError(DAMAGED)
        return int(found, 2) if count else 0

    def digits(self, count: int) -> str:
        """Hexadecimal digits."""
        return "".join(f"{self.take(4):x}" for _ in range(count))

    def number(self, most: int) -> int:
        """A number up to `most`."""
        value = shift = 0
        while True:
            group = self.take(5)
            value |= (group & 15) << shift
            shift += 4
            if group < 16:
                break
            if shift > 32:
                raise ValueError(DAMAGED)
        if value > most or (shift > 4 and group == 0):
            raise ValueError(DAMAGED)
        return value

    def text(self, count: int = 0) -> str:
        """A text."""
        length = self.take(count) if count else self.number(400)
        data = bytes(self.take(8) for _ in range(length))
        try:
            return data.decode()
        except UnicodeDecodeError:
            raise ValueError(DAMAGED) from None

    def setting(self, row: Row) -> Any:
        """The value of one setting, as `Writer.setting` writes it."""
        if row.kind is float:
            return self.number(round(row.high * 1000)) / 1000
        if row.kind is int:
            return self.number(int(row.high)) if row.high < 2**16 else self.take(32)
        if row.kind is bool:
            return bool(self.take(1))
        return tuple(self.text() for _ in range(self.number(100)))

    def tokens(self, num_runs: int) -> tuple[tuple[int, int], ...]:
        """(id, run) of tokens."""
        owners: list[int] = []
        for _ in range(self.number(TOKENS_MAX)):
            run, count = self.number(num_runs) - 1, self.number(TOKENS_MAX)
            if not count or len(owners) + count > TOKENS_MAX:
                raise ValueError(DAMAGED)
            owners += [run] * count
        table = common_tokens()
        return tuple((self.token(table), run) for run in owners)

    def token(self, table: list[int]) -> int:
        """A token's id."""
        first = 0
        for _, width in CLASSES:
            if not self.take(1):
                return table[first + self.take(width)]
            first += 2**width
        return self.take(RARE_BITS)

    def end(self) -> None:
        """Nothing but the filling comes."""
        rest = self.bits[self.at :]
        if len(rest) > 7 or "1" in rest:
            raise ValueError(DAMAGED)
