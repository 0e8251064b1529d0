"""How a file of stories is understood: its kind by its name, the rest by a look at its start.

    .jsonl .ndjson        an object a line, or objects over several lines
    .json                 an array of objects or of texts, one object, or an object a line
    .csv .tsv             a table, of which the delimiter, quoting and head line are detected
    .txt                  stories separated by <|endoftext|>, empty lines, line ends or another mark
    .parquet .arrow       a table; a folder of `datasets.save_to_disk` holds the latter

The first four may be compressed (packing.py) and in UTF-16. The field or column is `text` or what
can only be meant (fields.py). What the file does not decide is asked for by the setting's name, and
never guessed.
"""

from __future__ import annotations

import codecs
import csv
import json
import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from trainer.corpus.read import dialect, wrapped_lines
from trainer.corpus.read.fields import ROWS_LOOKED_AT, choose_field, survey
from trainer.corpus.read.packing import OpenFile, Stream, bare_name
from trainer.corpus.read.text_streams import (
    BOOK_START,
    Pieces,
    body_of_books,
    encoding_of,
    pieces_of,
    plain_line_ends,
    recoded,
    wrong_encoding,
)
from trainer.settings.corpus import Corpus

MARK = "<|endoftext|>"
KINDS = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv",
    "txt": "txt",
    "parquet": "parquet",
    "arrow": "arrow",
}
TABLES = ("parquet", "arrow")
KNOWN_KINDS = (
    ".jsonl, .json, .csv, .tsv, .txt (these also .gz, .zst, .xz or .bz2), .parquet, .arrow, .zip or"
    " .tar"
)
SEPARATORS = ("mark", "line", "empty-line", "file")
LOOK = 2**20  # bytes of a file's start
ONE_STORY = 20_000  # bytes; a longer text without marks is more than one story
LONGEST = 16 * 2**20  # bytes; what is longer is no story
SEPARATING = 3  # times that a line without letters stands in a text that it separates
BETWEEN_VALUES = re.compile(r"[\s,]*")
DECODER = json.JSONDecoder(strict=False)  # a line break in a string is as good as \\n


@dataclass(frozen=True)
class Format:
    """How a file is read.

    Attributes:
        kind: one of the values of KINDS.
        field: the field or column with the stories, or a path to it; "" where a row is a text.
        separator: what separates the stories of a text: mark, line, empty-line, file for nothing,
            or the text that does.
        delimiter, quoted, head: how a table of separated values is written (dialect.py).
        encoding: of the text.
        line_ends: cr, where lines end with a carriage return alone.
        book: the text is a book of Project Gutenberg, read without header and licence.
        width: at which lines were wrapped, which is undone; 0 leaves them.
    """

    kind: str
    field: str = "text"
    separator: str = "mark"
    delimiter: str = ""
    quoted: bool = True
    head: bool = True
    encoding: str = "utf-8"
    line_ends: str = ""
    book: bool = False
    width: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return what of it decides which stories are read; a JSON lines file with the field
        `text`, a text with marks and a parquet file are what they always were."""
        usual = Format(self.kind, delimiter=dialect.DEFAULTS.get(self.kind, ""))
        decisive: dict[str, Any] = {"kind": self.kind}
        if self.field not in ("", "text"):
            decisive["field"] = self.field
        for key in list(self.__dataclass_fields__)[2:]:
            if getattr(self, key) not in (getattr(usual, key), ""):
                decisive[key] = getattr(self, key)
        return decisive


def kind_by_name(name: str) -> str:
    """Return the kind that a file's name says.

    Raises:
        ValueError: it says none that is known.
    """
    bare = bare_name(name)
    kind = KINDS.get(bare.rpartition(".")[2], "")
    if not kind or "." not in bare or (kind in TABLES and bare != name.lower()):
        raise ValueError(f"{name} is of no known kind: give a {KNOWN_KINDS} file")
    return kind


def read_up_to(stream: Stream, size: int) -> bytes:
    """Return the next bytes of a stream, fewer only at its end."""
    parts = []
    while size and (part := stream.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def understand_text(opened: OpenFile, settings: Corpus) -> Format:
    """Return how a file of text, JSON or separated values is read.

    Args:
        opened: the file at its start.
        settings: the section `corpus`.

    Raises:
        ValueError: the field or the separator cannot be decided; the message names the setting.
    """
    name, kind = str(opened.file), kind_by_name(opened.file.name)
    start = read_up_to(opened.stream, LOOK)
    encoding = encoding_of(start)
    if settings.encoding != "auto":
        encoding = codecs.lookup(settings.encoding).name.removesuffix("-sig")
    try:
        text = decoded(start, encoding)
    except UnicodeError:  # UTF-16 without its mark
        raise wrong_encoding(name, encoding) from None
    form = Format(kind, encoding=encoding)
    if "\r" in text and "\n" not in text:
        form = replace(form, line_ends="cr")
    if kind == "txt":
        return understand_prose(name, form, text, len(start), settings)
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if kind in ("csv", "tsv"):
        return understand_table(name, form, text, settings)
    if not is_complete(text) and (more := read_up_to(opened.stream, LONGEST)):
        text = decoded(start + more, encoding).replace("\r\n", "\n").replace("\r", "\n")
    return understand_json(name, form, text, settings)


def decoded(start: bytes, encoding: str) -> str:
    """Return the start of a text; what is broken is an error when it is read, with its place."""
    codec = "utf-8-sig" if encoding == "utf-8" else encoding
    return codecs.getincrementaldecoder(codec)("replace").decode(start)


def understand_prose(name: str, form: Format, text: str, size: int, settings: Corpus) -> Format:
    """Return how a text is read."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    book = BOOK_START.search(plain.encode(errors="replace")) is not None
    if book:
        plain = b"".join(body_of_books([plain.encode(errors="replace")])).decode(errors="replace")
    separator = settings.separator
    if separator == "auto":
        if MARK not in text and size >= ONE_STORY:
            raise ValueError(no_separator(name, plain))
        separator = "mark"
    width = 0 if separator == "line" else wrapped_lines.width_of(plain)
    if settings.unwrap == "on":
        width = width or wrapped_lines.WIDEST
    elif settings.unwrap == "off":
        width = 0
    return replace(form, field="", separator=separator, book=book, width=width)


def no_separator(name: str, text: str) -> str:
    """Return what to say of a long text without marks; a line that seems to separate is named."""
    lines = Counter(line.strip() for line in text.split("\n"))
    marks = {
        line: count
        for line, count in lines.items()
        if line
        and count >= SEPARATING
        and (line.startswith("<") or not any(map(str.isalnum, line)))
    }
    ways = "--corpus.separator line, empty-line or file (the whole file is one story)"
    if marks:
        mark = max(marks, key=lambda line: marks[line])
        ways = f"--corpus.separator='{mark}', which stands on {marks[mark]:,} lines, or {ways}"
    return f"{name} has no {MARK} marks between its stories: say how they are separated with {ways}"


def understand_table(name: str, form: Format, text: str, settings: Corpus) -> Format:
    """Return how a table of separated values is read."""
    try:
        found = dialect.detect(text, form.kind, settings.column_delimiter)
    except csv.Error as error:
        raise ValueError(f"{name} is not a table that can be read ({error}): mend it") from None
    if match := dialect.SEP_LINE.match(text):
        text = text[match.end() :]
    rows = dialect.first_rows(text, found.delimiter, found.quoted)
    first = rows[0] if rows else []
    names = first if found.head else [str(number) for number, _ in enumerate(first, start=1)]
    looked_at = rows[found.head :][:ROWS_LOOKED_AT] or [[""] * len(names)]
    columns = survey(dict(zip(names, row, strict=False)) for row in looked_at)
    field = choose_field(name, columns, settings.field)
    return replace(
        form, field=field, delimiter=found.delimiter, quoted=found.quoted, head=found.head
    )


def understand_json(name: str, form: Format, text: str, settings: Corpus) -> Format:
    """Return how a file of JSON is read: a value a line, or values over several lines."""
    start = text.lstrip()
    kind = "json" if start.startswith("[") or spans_lines(start) else "jsonl"
    values = values_in(start.removeprefix("[")) if kind == "json" else lines_in(start)
    if values and isinstance(values[0], str):
        return replace(form, kind=kind, field="")
    rows = [value for value in values if isinstance(value, dict)]
    if not rows:  # what is broken is an error when it is read, with its place
        return replace(form, kind=kind, field=settings.field or "text")
    alone = len(values) == 1 and start.startswith("{")
    field = choose_field(name, survey(rows), settings.field, alone=alone)
    return replace(form, kind=kind, field=field)


def is_complete(text: str) -> bool:
    """Return whether the first JSON value of a text is whole."""
    try:
        DECODER.raw_decode(text.lstrip().removeprefix("[").lstrip())
    except json.JSONDecodeError:
        return False
    except RecursionError:
        return True
    return True


def spans_lines(text: str) -> bool:
    """Return whether the first JSON object of a text has several lines."""
    if not text.startswith("{"):
        return False
    try:
        end = json.JSONDecoder().raw_decode(text)[1]
    except (ValueError, RecursionError):
        return text.partition("\n")[0].strip() == "{"
    return "\n" in text[:end]


def lines_in(text: str) -> list[Any]:
    """Return the first JSON values of a text with one a line, without what is broken or cut off."""
    values = []
    for line in text.split("\n", ROWS_LOOKED_AT)[:ROWS_LOOKED_AT]:
        try:
            values.append(DECODER.decode(line))
        except (ValueError, RecursionError):
            continue
    return values


def values_in(text: str) -> list[Any]:
    """Return the first JSON values of a text, up to what is broken or cut off."""
    values: list[Any] = []
    end = 0
    while len(values) < ROWS_LOOKED_AT:
        end = BETWEEN_VALUES.match(text, end).end()  # type: ignore[union-attr]
        try:
            value, end = DECODER.raw_decode(text, end)
        except (ValueError, RecursionError):
            break
        values.append(value)
    return values


def text_of(opened: OpenFile, form: Format) -> Stream:
    """Return the content of a file in UTF-8, without what its form takes off."""
    by_lines = form.kind in ("csv", "tsv") or form.separator not in ("mark", "line", "file")
    changes_ends = bool(by_lines or form.line_ends or form.book or form.width)
    if form.encoding == "utf-8" and not changes_ends:
        return opened.stream
    pieces = pieces_of(opened.stream)
    if form.encoding != "utf-8":
        pieces = recoded(pieces, form.encoding, str(opened.file))
    if changes_ends:
        pieces = plain_line_ends(pieces)
    return Pieces(body_of_books(pieces) if form.book else pieces)
