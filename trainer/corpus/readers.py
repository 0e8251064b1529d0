"""Story files in pieces: .jsonl, .txt and .parquet, the first two also as .gz and .zst.

    .jsonl      an object a line, the story in its field `text`
    .txt        stories parted by <|endoftext|>
    .parquet    the column `text`

A piece is a few megabytes that hold whole stories. Cutting a file into pieces is quick and done by
the reader; taking a piece apart (`Piece.stories`) is left to whoever asks, so that it can happen in
parallel. Memory does not grow with the file.
"""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

VERSION = 1  # part of the fingerprint: raise it when stories or pieces are cut otherwise
MARK = b"<|endoftext|>"
PIECE = 4 * 2**20  # bytes
ROWS = 4096  # of a table, in a piece
LONGEST = 16 * 2**20  # bytes; what is longer is no story
KINDS = ("jsonl", "txt", "parquet")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}


class Stream(Protocol):
    """What is read from."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


@dataclass(frozen=True)
class Piece:
    """Some whole stories, as they were read.

    Attributes:
        content: bytes of a text file, or a column of a table.
        take_apart: makes stories of `content`; gets it and `place`.
        place: the file, and the number of the first line.
        size: bytes of the source that were read for it, to show progress.
    """

    content: Any
    take_apart: Callable[[Any, Place], list[str]]
    place: Place
    size: int

    def stories(self) -> list[str]:
        """The stories of this piece.

        Raises:
            ValueError: a line is broken; the sentence names it.
        """
        return self.take_apart(self.content, self.place)


@dataclass(frozen=True)
class Place:
    """Where a piece starts."""

    file: str
    line: int = 1


def read_file(file: Path) -> Iterator[str]:
    """The stories of one file, as they stand there.

    Raises:
        ValueError: the file is missing, of no known kind, or broken; the sentence names the place.
    """
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    return itertools.chain.from_iterable(piece.stories() for piece in pieces_of(file))


def kind_of(file: Path) -> str:
    """jsonl, txt or parquet, by the name of a file.

    Raises:
        ValueError: it is none of these.
    """
    name = file.name.lower()
    bare = name.removesuffix(".gz").removesuffix(".zst")
    kind = bare.rpartition(".")[2]
    if kind not in KINDS or "." not in bare or (kind == "parquet" and bare != name):
        raise ValueError(
            f"{file} is of no known kind: give a .jsonl, .txt or .parquet file (the first two may"
            " be .gz or .zst)"
        )
    return kind


def pieces_of(file: Path) -> Iterator[Piece]:
    """A file in pieces.

    Raises:
        ValueError: it cannot be read to its end, or is not of the kind that its name says.
    """
    kind = kind_of(file)
    if kind == "parquet":
        yield from table_pieces(file)
        return
    try:
        with open_file(file) as (stream, position):
            yield from text_pieces(stream, kind, str(file), position)
    except OSError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} cannot be read to its end ({reason}): fetch it again") from None


@contextlib.contextmanager
def open_file(file: Path) -> Iterator[tuple[Stream, Callable[[], int]]]:
    """The content of a file that may be compressed, and how many of its bytes were read."""
    compression = COMPRESSIONS.get(file.suffix.lower())
    if compression is None:
        with file.open("rb") as raw:
            yield raw, raw.tell
        return
    import pyarrow

    # Unlike zstandard's reader this one complains when the last frame is cut off.
    with pyarrow.OSFile(str(file)) as raw:
        yield pyarrow.CompressedInputStream(raw, compression), raw.tell


def text_pieces(
    stream: Stream, kind: str, name: str, position: Callable[[], int]
) -> Iterator[Piece]:
    """A jsonl or txt stream in pieces; `position` tells how far the source was read."""
    separator, take_apart = (b"\n", lines) if kind == "jsonl" else (MARK, marked)
    line, before = 1, 0
    for content in cut(stream, separator, name):
        after = position()
        yield Piece(content, take_apart, Place(name, line), after - before)
        line, before = line + content.count(b"\n"), after


def cut(stream: Stream, separator: bytes, name: str) -> Iterator[bytes]:
    """The content in runs of about PIECE bytes, each but the last ending with a separator."""
    rest = b""
    while part := read_fully(stream):
        rest += part
        end = rest.rfind(separator) + len(separator)
        if end >= len(separator):
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
    """PIECE bytes, fewer only at the end: so pieces do not depend on how a stream is buffered."""
    parts, missing = [], PIECE
    while missing and (part := stream.read(missing)):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def lines(content: bytes, place: Place) -> list[str]:
    """The stories of some jsonl lines; empty lines are passed over."""
    found = []
    for number, line in enumerate(content.split(b"\n"), start=place.line):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            if not isinstance(row, dict) or not isinstance(row.get("text"), str):
                raise ValueError
            found.append(row["text"])
        except (ValueError, RecursionError) as error:
            wrong = "has no text in a field `text`"
            if isinstance(error, UnicodeDecodeError):
                wrong = "is not UTF-8"
            elif isinstance(error, json.JSONDecodeError | RecursionError):
                wrong = "is not JSON"
            raise ValueError(
                f"line {number:,} of {place.file} {wrong}: mend it or take it out"
            ) from None
    return found


def marked(content: bytes, place: Place) -> list[str]:
    """The stories of a text in which end-of-text marks part them."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = place.line + content.count(b"\n", 0, error.start)
        raise ValueError(
            f"line {line:,} of {place.file} is not UTF-8: mend it or take it out"
        ) from None
    return [story for story in text.split(MARK.decode()) if story.strip()]


def table_pieces(file: Path) -> Iterator[Piece]:
    """The column `text` of a parquet file, in pieces."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            schema, num_rows = table.schema_arrow, table.metadata.num_rows
            if "text" not in schema.names:
                raise ValueError(
                    f"{file} has no column `text` (it has {', '.join(schema.names)}): rename the"
                    " one with the stories"
                )
            if not pyarrow.types.is_string(schema.field("text").type) and (
                not pyarrow.types.is_large_string(schema.field("text").type)
            ):
                raise ValueError(f"the column `text` of {file} holds no text")
            size = file.stat().st_size / max(1, num_rows)
            for batch in table.iter_batches(ROWS, columns=["text"]):
                content = batch.column(0)
                yield Piece(content, column, Place(str(file)), int(size * len(content)))
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} is not a whole parquet file ({reason}): fetch it again") from None


def column(content: Any, place: Place) -> list[str]:
    """The stories of a column; rows without one are passed over."""
    try:
        return [story for story in content.to_pylist() if story is not None]
    except UnicodeDecodeError:
        raise ValueError(f"the column `text` of {place.file} is not UTF-8: mend it") from None
