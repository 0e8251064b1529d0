"""Story files in chunks: text and JSON lines here, tables in tables.py.

A chunk is a few megabytes that hold whole stories. Cutting a file into chunks is quick and done by
the reader; taking a chunk apart (`Chunk.stories`) is left to whoever asks, so that it can happen in
parallel. Memory does not grow with the file.

What belongs to the file and not to its stories is taken off here, for every command alike: a byte
order mark, Windows' line ends, end-of-text marks at a story's ends.
"""

from __future__ import annotations

import contextlib
import gzip
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from trainer.corpus.formats import MARK, Format

VERSION = 1  # part of the fingerprint: raise it when stories or chunks are cut otherwise
CHUNK_BYTES = 4 * 2**20  # bytes
ROWS = 4096  # of a table, in a chunk
LONGEST = 16 * 2**20  # bytes; what is longer is no story
BYTE_ORDER_MARK = "\ufeff"


class Stream(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Chunk:
    """Some whole stories, as they were read.

    Attributes:
        content: bytes of a text file, or a column of a table.
        take_apart: makes stories of `content`; gets it and `location`.
        location: the file, and the number of the first line.
        size: bytes of the source that were read for it, to show progress.
    """

    content: Any
    take_apart: Callable[[Any, Location], list[str]]
    location: Location
    size: int

    def stories(self) -> list[str]:
        """The stories of this chunk.

        Raises:
            ValueError: a line is broken; the sentence names it.
        """
        return list(map(tidy, self.take_apart(self.content, self.location)))


@dataclass(frozen=True)
class Location:
    """Where a chunk starts."""

    file: str
    line: int = 1


def tidy(story: str) -> str:
    """A story without what its file put around it."""
    if "\r" in story:
        story = story.replace("\r\n", "\n").replace("\r", "\n")
    story = story.removeprefix(BYTE_ORDER_MARK)
    while (bare := story.strip()).startswith(MARK) or bare.endswith(MARK):
        story = bare.removeprefix(MARK).removesuffix(MARK)
    return story


@contextlib.contextmanager
def open_file(file: Path) -> Iterator[tuple[Stream, Callable[[], int]]]:
    """The content of a file that may be compressed, and how many of its bytes were read."""
    compression = file.suffix.lower()
    if compression == ".gz":  # unlike pyarrow's, Python's passes over the zeros of a tape's padding
        with file.open("rb") as raw, gzip.GzipFile(fileobj=raw) as unpacked:
            yield unpacked, raw.tell
    elif compression == ".zst":
        import pyarrow

        # Unlike zstandard's reader this one complains when the last frame is cut off.
        with pyarrow.OSFile(str(file)) as packed:
            yield pyarrow.CompressedInputStream(packed, "zstd"), packed.tell
    else:
        with file.open("rb") as raw:
            yield raw, raw.tell


def text_chunks(
    stream: Stream, form: Format, name: str, position: Callable[[], int]
) -> Iterator[Chunk]:
    """A text or JSON lines stream in chunks; `position` tells how far the source was read."""
    separator, take_apart = ways_to_cut(form)
    if form.separator == "empty-line":
        stream = PlainLineEnds(stream)
    line, before = 1, 0
    for content in cut(stream, separator, name):
        after = position()
        yield Chunk(content, take_apart, Location(name, line), after - before)
        line, before = line + content.count(b"\n"), after


def ways_to_cut(form: Format) -> tuple[bytes, Callable[[bytes, Location], list[str]]]:
    """What parts the stories of a text, and what makes stories of a chunk of it."""
    if form.kind == "jsonl":
        return b"\n", partial(json_lines, field=form.field)
    return {
        "mark": (MARK.encode(), partial(parted_by, separator=MARK)),
        "line": (b"\n", partial(parted_by, separator="\n")),
        "empty-line": (b"\n\n", partial(parted_by, separator="\n\n")),
        "file": (b"", partial(parted_by, separator="")),
    }[form.separator]


class PlainLineEnds:
    """A stream whose lines end with \\n alone."""

    def __init__(self, stream: Stream) -> None:
        self.stream, self.held = stream, b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes, or one more; none at the end."""
        part = self.stream.read(size)
        content, self.held = self.held + part, b""
        if part and content.endswith(b"\r"):  # what follows may belong to it
            content, self.held = content[:-1], b"\r"
            if not content:
                return self.read(size)
        return content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def cut(stream: Stream, separator: bytes, name: str) -> Iterator[bytes]:
    """The content in runs of about CHUNK_BYTES, each but the last ending with a separator; all in
    one if there is no separator."""
    rest = b""
    while part := read_fully(stream):
        rest += part
        end = rest.rfind(separator) + len(separator) if separator else 0
        if separator and end >= len(separator):
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > LONGEST:
            raise ValueError(
                f"{name} has {LONGEST >> 20} MB without the end of a story: is it the kind of file"
                " that its name says?"
            )
    if rest:
        yield rest


def read_fully(stream: Stream) -> bytes:
    """CHUNK_BYTES, fewer only at the end: so chunks do not depend on how a stream is buffered."""
    parts, missing = [], CHUNK_BYTES
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def json_lines(content: bytes, location: Location, field: str) -> list[str]:
    """The stories in a field of some JSON lines; empty lines are passed over."""
    found = []
    for number, line in enumerate(content.split(b"\n"), start=location.line):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get(field), str):
                raise ValueError
            found.append(row[field])
        except (ValueError, RecursionError) as error:
            wrong = f"has no text in a field `{field}`"
            if isinstance(error, UnicodeDecodeError):
                wrong = "is not UTF-8"
            elif isinstance(error, json.JSONDecodeError | RecursionError):
                wrong = "is not JSON"
            raise ValueError(
                f"line {number:,} of {location.file} {wrong}: mend it or take it out"
            ) from None
    return found


def parted_by(content: bytes, location: Location, separator: str) -> list[str]:
    """The stories of a text that a separator parts; all of it is one if there is none."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = location.line + content.count(b"\n", 0, error.start)
        raise ValueError(
            f"line {line:,} of {location.file} is not UTF-8: mend it or take it out"
        ) from None
    return [story for story in (text.split(separator) if separator else [text]) if story.strip()]
