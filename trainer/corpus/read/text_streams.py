"""The text of a file, whatever its encoding and line ends."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from trainer.corpus.read import chunks
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import OpenFile, Stream, stream_of
from trainer.settings.corpus import Corpus

LOOK = 2**20  # bytes of a file's start
MARKS = {  # byte order marks, the longer before the shorter
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
SHARE_OF_ZEROS = 0.4  # of every second byte: UTF-16 of a language with Latin letters


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


def start_of(opened: OpenFile, kind: str, settings: Corpus) -> tuple[Format, str]:
    """Return the kind, the encoding and the line ends of a text, and its start. Raises ValueError
    if the text is not of the encoding that the settings name."""
    start = opened.stream.look(LOOK)
    encoding = encoding_of(start)
    if settings.encoding != "auto":
        encoding = codecs.lookup(settings.encoding).name.removesuffix("-sig")
    try:
        text = decoded(start, encoding)
    except UnicodeError:  # UTF-16 without its mark
        raise wrong_encoding(str(opened.file), encoding) from None
    form = Format(kind, encoding=encoding)
    return (replace(form, line_ends="cr") if "\r" in text and "\n" not in text else form), text


def decoded(start: bytes, encoding: str) -> str:
    """Return the start of a text; broken bytes are an error later, with their line."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    return codecs.getincrementaldecoder(codec)("replace").decode(start)


def plain(text: str) -> str:
    """Return a text whose lines end with \\n alone."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def text_of(opened: OpenFile, form: Format, *, plain_ends: bool) -> Stream:
    """Return the content of a file in UTF-8; with `plain_ends` its lines end with \\n alone."""
    if form.encoding == "utf-8" and not plain_ends:
        return opened.stream
    return stream_of(recoded(opened.stream.pieces(), form.encoding, str(opened.file), plain_ends))


def recoded(pieces: Iterable[bytes], encoding: str, name: str, plain_ends: bool) -> Iterator[bytes]:
    """Yield a text in UTF-8. Bytes that are not UTF-8 stay, to be an error with their line.
    Raises ValueError if the text is not of another encoding."""
    errors = "surrogateescape" if encoding == "utf-8" else "strict"
    decoder: Any = codecs.getincrementaldecoder(encoding)(errors)
    if plain_ends:
        decoder = io.IncrementalNewlineDecoder(decoder, translate=True)
    try:
        for piece in pieces:
            yield decoder.decode(piece).encode(errors=errors)
        yield decoder.decode(b"", final=True).encode(errors=errors)
    except UnicodeError:
        raise wrong_encoding(name, encoding) from None


def parts_of(text: Stream, name: str) -> Iterator[str]:
    """Yield a text in UTF-8, a few megabytes at a time. Raises ValueError if it is of another
    encoding."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while part := text.read(chunks.CHUNK_BYTES):
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise not_utf_8(name) from None


def wrong_encoding(name: str, encoding: str) -> ValueError:
    """Return the error for a text that is of another encoding."""
    return ValueError(
        f"{name} is not {encoding}: name its encoding with --corpus.encoding, or save it as UTF-8"
    )


def not_utf_8(name: str, line: int = 0) -> ValueError:
    """Return the error for a text, or a line of it, in another encoding than UTF-8."""
    where = f"line {line:,} of {name}" if line else name
    return ValueError(
        f"{where} is not UTF-8: name the file's encoding with --corpus.encoding, such as cp1252"
        " (Windows) or latin-1, or save it as UTF-8"
    )
