"""Story files in chunks: text and JSON lines here, tables in tables.py.

A chunk is a few megabytes that hold whole stories. Cutting a file into chunks is quick and done by
the reader; taking a chunk apart (`Chunk.stories`) is left to whoever asks, so that it can happen in
parallel. Memory does not grow with the file.

What belongs to the file and not to its stories is taken off here, for every command alike: a byte
order mark, Windows' line ends, end-of-text marks at a story's ends.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainer.corpus.read.fields import WrongRowError, texts_at
from trainer.corpus.read.formats import DECODER, LONGEST, MARK, Format, read_up_to
from trainer.corpus.read.packing import Stream
from trainer.corpus.read.wrapped_lines import unwrapped

VERSION = 1  # part of the fingerprint: raise it when stories or chunks are cut otherwise
CHUNK_BYTES = 4 * 2**20  # bytes
LONGEST_BOOK = 2**30  # bytes; of a file that is one story
BYTE_ORDER_MARK = "\ufeff"


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
        """Return the stories of this chunk.

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


def text_chunks(
    stream: Stream, form: Format, name: str, position: Callable[[], int]
) -> Iterator[Chunk]:
    """A text or JSON lines stream in chunks; `position` tells how far the source was read."""
    separator, take_apart = ways_to_cut(form)
    line, before = 1, 0
    for content in cut(stream, separator, name):
        after = position()
        yield Chunk(content, take_apart, Location(name, line), after - before)
        line, before = line + content.count(b"\n"), after


def ways_to_cut(form: Format) -> tuple[bytes, Callable[[bytes, Location], list[str]]]:
    """Return what separates the stories of a text, and what makes stories of a chunk of it."""
    if form.kind == "jsonl":
        return b"\n", partial(json_lines, field=form.field)
    named = {"mark": MARK, "line": "\n", "empty-line": "\n\n", "file": ""}
    separator = named.get(form.separator, form.separator)
    split: Callable[[str], list[str]] = partial(split_at, separator=separator)
    if form.separator not in named and not separator.startswith("<"):  # a line of its own
        split = re.compile(rf"^{re.escape(separator)}[ \t]*$", re.MULTILINE).split
        separator = f"\n{separator}\n"
    return separator.encode(), partial(stories_of_text, split=split, width=form.width)


def split_at(text: str, separator: str) -> list[str]:
    """Return the parts of a text; all of it is one if there is no separator."""
    return text.split(separator) if separator else [text]


def cut(stream: Stream, separator: bytes, name: str) -> Iterator[bytes]:
    """Yield the content in runs of about CHUNK_BYTES, each but the last ending with a separator;
    all in one if there is no separator."""
    rest = b""
    longest = LONGEST if separator else LONGEST_BOOK
    while part := read_up_to(stream, CHUNK_BYTES):
        rest += part
        end = rest.rfind(separator) + len(separator) if separator else 0
        if separator and end >= len(separator):
            yield rest[:end]
            rest = rest[end:]
        elif len(rest) > longest:
            raise ValueError(
                f"{name} has {longest >> 20} MB without the end of a story: is it the kind of file"
                " that its name says?"
            )
    if rest:
        yield rest


def json_lines(content: bytes, location: Location, field: str) -> list[str]:
    """Return the stories in a field of some JSON lines; lines that are empty or null there are
    passed over."""
    stories: list[str] = []
    for number, line in enumerate(content.split(b"\n"), start=location.line):
        if not line.strip():
            continue
        try:
            row = DECODER.decode(line.decode().removeprefix(BYTE_ORDER_MARK))
            if type(row) is dict and type(text := row.get(field)) is str:
                stories.append(text)  # nearly every line: the rest is slower
            else:
                stories += texts_at(row, field)
        except (ValueError, RecursionError) as error:
            wrong = f"has no text in a field `{field}`" if field else "is not a text"
            if isinstance(error, UnicodeDecodeError):
                raise not_utf_8(location, number) from None
            if not isinstance(error, WrongRowError):
                wrong = "is not JSON"
            raise ValueError(
                f"line {number:,} of {location.file} {wrong}: mend it or take it out"
            ) from None
    return stories


def stories_of_text(
    content: bytes, location: Location, split: Callable[[str], list[str]], width: int
) -> list[str]:
    """Return the stories of a text that `split` separates, without the line breaks of wrapping."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise not_utf_8(location, location.line + content.count(b"\n", 0, error.start)) from None
    stories = [story for story in split(text) if story.strip()]
    return [unwrapped(story, width) for story in stories] if width else stories


def not_utf_8(location: Location, line: int = 0) -> ValueError:
    """Return what to say of a text in another encoding."""
    where = f"line {line:,} of {location.file}" if line else location.file
    return ValueError(
        f"{where} is not UTF-8: name the file's encoding with --corpus.encoding, such as cp1252"
        " (Windows) or latin-1, or save it as UTF-8"
    )
