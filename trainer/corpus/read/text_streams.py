"""Streams of bytes as UTF-8 with plain line ends, whatever a file has: one step after the other.

A step is a generator from pieces of bytes to pieces of bytes; `Pieces` makes a stream of the last.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator

from trainer.corpus.read.packing import Stream

PIECE = 2**20  # bytes
MARKS = {  # byte order marks, the longer before the shorter
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SHARE_OF_ZEROS = 0.4  # of every second byte: UTF-16 of a language with Latin letters
BOOK_START = re.compile(
    rb"^[ \t]*\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    rb"(?:(?!\n[ \t]*\n).){0,400}?\*\*\*[^\n]*\n",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
BOOK_END = re.compile(
    rb"^[ \t]*(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    rb"|End of (?:the )?Project Gutenberg'?s? )",
    re.IGNORECASE | re.MULTILINE,
)
HELD = 1024  # bytes in which a mark of a book may be cut off


class Pieces:
    """A stream of the pieces that a generator gives."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self.pieces, self.rest = pieces, b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        while not self.rest:
            piece = next(self.pieces, None)
            if piece is None:
                return b""
            self.rest = piece
        part, self.rest = self.rest[:size], self.rest[size:]
        return part


def pieces_of(stream: Stream) -> Iterator[bytes]:
    """Yield the content of a stream."""
    while part := stream.read(PIECE):
        yield part


def encoding_of(start: bytes) -> str:
    """Return the encoding of a text by its byte order mark or by its zeros, else UTF-8."""
    for mark, encoding in MARKS.items():
        if start.startswith(mark):
            return encoding
    start = start[: 2 * (min(len(start), 4096) // 2)]
    if len(start) >= 8:
        odd, even = start[1::2].count(0), start[::2].count(0)
        if odd > SHARE_OF_ZEROS * len(start) / 2 and even == 0:
            return "utf-16-le"
        if even > SHARE_OF_ZEROS * len(start) / 2 and odd == 0:
            return "utf-16-be"
    return "utf-8"


def recoded(pieces: Iterable[bytes], encoding: str, name: str) -> Iterator[bytes]:
    """Yield a text of another encoding in UTF-8.

    Raises:
        ValueError: the text is not of this encoding.
    """
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise wrong_encoding(name, encoding) from None


def wrong_encoding(name: str, encoding: str) -> ValueError:
    """Return what to say of a text that is of another encoding."""
    return ValueError(
        f"{name} is not {encoding}: name its encoding with --corpus.encoding, or save it as UTF-8"
    )


def plain_line_ends(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield a text whose lines end with \\n alone."""
    held = b""
    for piece in pieces:
        content, held = held + piece, b""
        if content.endswith(b"\r"):  # what follows may belong to it
            content, held = content[:-1], b"\r"
        yield content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    yield held.replace(b"\r", b"\n")


def body_of_books(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what stands between the marks of Project Gutenberg: no header and no licence."""
    rest, inside = b"", False
    for piece in pieces:
        rest += piece
        while match := (BOOK_END if inside else BOOK_START).search(rest):
            if inside:
                yield rest[: match.start()]
            rest, inside = rest[match.end() :], not inside
        if inside:
            yield rest[:-HELD]
        rest = rest[-HELD:]
    if inside:
        yield rest
