"""Stories in chunks of a few megabytes, each of which holds whole stories.

A file's reader cuts it into chunks, which is quick; the caller parses them (`Chunk.stories`), so it
can do so in parallel. Memory does not grow with the file.

Every command gets stories without the marks of their file: the byte order mark, Windows' line ends,
end-of-text marks at a story's ends.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from trainer.corpus.read.fields import WrongRowError, texts_at
from trainer.corpus.read.packing import OpenFile, Stream
from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK

VERSION = 1  # part of the fingerprint: raise it when stories or chunks are cut differently
CHUNK_BYTES = 4 * 2**20  # bytes
ROWS = 4096  # of a table, in a chunk
LONGEST = 16 * 2**20  # bytes; a longer text is not one story
LONGEST_BOOK = 2**30  # bytes; of a file that is one story
BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Chunk:
    """Some whole stories.

    Attributes:
        parse: returns the stories, as they stand in the file.
        size: bytes of the source that it takes, to show progress.
    """

    parse: Callable[[], list[str]]
    size: int

    def stories(self) -> list[str]:
        """Return the stories of this chunk. Raises ValueError naming a line that is broken."""
        return list(map(tidy, self.parse()))


def tidy(story: str) -> str:
    """Return a story without the marks of its file."""
    if "\r" in story:
        story = story.replace("\r\n", "\n").replace("\r", "\n")
    story = story.removeprefix(BYTE_ORDER_MARK)
    while (bare := story.strip()).startswith(END_OF_TEXT_MARK) or bare.endswith(END_OF_TEXT_MARK):
        story = bare.removeprefix(END_OF_TEXT_MARK).removesuffix(END_OF_TEXT_MARK)
    return story


def text_chunks(
    opened: OpenFile, text: Stream, separator: bytes, parse: Callable[[bytes, str, int], list[str]]
) -> Iterator[Chunk]:
    """Yield a text in chunks that end with a separator.

    Args:
        opened: the file.
        text: its content in UTF-8.
        separator: between its stories; b"" if the whole text is one story.
        parse: returns the stories of some content, given the file's name and the number of the
            content's first line, for messages.
    """
    line, before, name = 1, 0, str(opened.file)
    for content in cut(text, separator, name):
        after = opened.position()
        yield Chunk(partial(parse, content, name, line), after - before)
        line, before = line + content.count(b"\n"), after


def cut(stream: Stream, separator: bytes, name: str) -> Iterator[bytes]:
    """Yield the content in runs of about CHUNK_BYTES, each but the last ending with a separator;
    in one run if there is no separator."""
    rest = b""
    longest = LONGEST if separator else LONGEST_BOOK
    while part := stream.read(CHUNK_BYTES):
        rest += part
        # Stories up to the last separator are whole; the rest may be half a story.
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


def value_chunks(opened: OpenFile, values: Iterable[Any], field: str) -> Iterator[Chunk]:
    """Yield the stories in a field of some values, in chunks. Raises ValueError if a value has no
    text there."""
    stories: list[str] = []
    before = 0
    for number, value in enumerate(values, start=1):
        try:
            stories += texts_at(value, field)
        except WrongRowError:
            raise ValueError(
                f"entry {number:,} of {opened.file} has no text"
                + (f" in a field `{field}`" if field else "")
                + ": mend it or take it out"
            ) from None
        while len(stories) >= ROWS:
            after = opened.position()
            yield Chunk(partial(list, stories[:ROWS]), after - before)
            stories, before = stories[ROWS:], after
    if stories:
        yield Chunk(partial(list, stories), opened.position() - before)
