"""Stories in tables: parquet and Arrow files, separated values, and JSON values in an array.

Like the readers of text these give chunks, and memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import itertools
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from trainer.corpus.read import readers
from trainer.corpus.read.dialect import SEP_LINE, rows_of
from trainer.corpus.read.fields import ROWS_LOOKED_AT, WrongRowError, choose_field, survey, texts_at
from trainer.corpus.read.formats import BETWEEN_VALUES, DECODER, LONGEST, Format, read_up_to
from trainer.corpus.read.packing import StoryFile, Stream
from trainer.corpus.read.readers import Chunk, Location, not_utf_8

ROWS = 4096  # of a table, in a chunk
FEW = 256  # rows of a parquet file that are looked at
LONGEST_VALUE = 2**28  # bytes of a JSON value over several lines


def understand_columns(file: StoryFile, kind: str, wanted: str) -> Format:
    """Return how a parquet or Arrow file is read.

    Raises:
        ValueError: the file is damaged, or no column can only be meant.
    """
    with whole(file, kind):
        schema, batches, _ = open_table(file, kind)
        names = [field.name for field in schema if may_hold_text(field.type)]
        rows: list[Any] = []
        for batch in batches(names, FEW) if names else []:
            rows += batch.to_pylist()
            if len(rows) >= ROWS_LOOKED_AT:
                break
    columns = survey({key: text_or_value(value) for key, value in row.items()} for row in rows)
    if not rows:
        columns = survey([dict.fromkeys(names, "")])
    numbers = {field.name: 0 for field in schema if field.name not in columns}
    return Format(kind, choose_field(str(file), columns | survey([numbers]), wanted))


def may_hold_text(kind: Any) -> bool:
    """Return whether a column's type is text, bytes that may be text, or has them inside."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    plain = (types.is_string, types.is_large_string, types.is_string_view)
    packed = (types.is_binary, types.is_large_binary, types.is_binary_view)
    inside = (types.is_list, types.is_large_list, types.is_struct, types.is_map)
    return any(check(kind) for check in (*plain, *packed, *inside))


def text_or_value(value: Any) -> Any:
    """Return bytes as the text that they are, if they are; anything else as it is."""
    if isinstance(value, bytes):
        with contextlib.suppress(UnicodeDecodeError):
            return value.decode()
        return 0
    return value


def open_table(
    file: StoryFile, kind: str
) -> tuple[Any, Callable[[list[str], int], Iterator[Any]], int]:
    """Return a table's schema, what reads the batches of some columns, and its rows (0: not
    known)."""
    import pyarrow
    import pyarrow.parquet

    if kind == "parquet":
        table = pyarrow.parquet.ParquetFile(file.path)
        return (
            table.schema_arrow,
            lambda names, rows: table.iter_batches(rows, columns=names),
            table.metadata.num_rows,
        )
    stream = pyarrow.memory_map(str(file.path))
    try:
        reader = pyarrow.ipc.open_stream(stream)  # what datasets.save_to_disk writes
    except pyarrow.ArrowInvalid:
        opened = pyarrow.ipc.open_file(stream)
        batches = (opened.get_batch(number) for number in range(opened.num_record_batches))
        return opened.schema, lambda names, _: (b.select(names) for b in batches), 0
    return reader.schema, lambda names, _: (b.select(names) for b in reader), 0


@contextlib.contextmanager
def whole(file: StoryFile, kind: str) -> Iterator[None]:
    """Say in one message what Arrow finds wrong with a file."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} is not a whole {kind} file ({reason}): fetch it again") from None


def table_chunks(file: StoryFile, form: Format) -> Iterator[Chunk]:
    """Yield a column of a parquet or Arrow file, in chunks."""
    with whole(file, form.kind):
        schema, batches, num_rows = open_table(file, form.kind)
        name = form.field
        while name not in schema.names and "." in name:
            name = name.rpartition(".")[0]
        path = form.field.removeprefix(name).removeprefix(".")
        size, location = file.path.stat().st_size, Location(str(file))
        for batch in batches([name], ROWS):
            content = batch.column(0)
            read = int(size * len(content) / num_rows) if num_rows else content.nbytes
            yield Chunk((content, path), column, location, read)


def column(content: tuple[Any, str], location: Location) -> list[str]:
    """Return the stories of a column; rows without one are passed over."""
    values, path = content
    try:
        texts = values.to_pylist()
        if path or not all(isinstance(text, str | None) for text in texts):
            return [story for value in texts for story in texts_at(as_text(value), path)]
        return [story for story in texts if story is not None]
    except UnicodeDecodeError:
        raise ValueError(f"a column of {location.file} is not UTF-8: mend it") from None
    except WrongRowError:
        where = f" at `{path}`" if path else ""
        raise ValueError(f"a row of {location.file} has no text{where}: take it out") from None


def as_text(value: Any) -> Any:
    """Return bytes as the text that they must be; anything else as it is."""
    return value.decode() if isinstance(value, bytes) else value


def value_chunks(
    stream: Stream, form: Format, name: str, position: Callable[[], int]
) -> Iterator[Chunk]:
    """Yield the stories of separated values or of JSON values, in chunks."""
    text = decoded(stream, name)
    values = json_values(text, name) if form.kind == "json" else rows(text, form, name)
    field = form.field if form.kind == "json" else ""
    stories: list[str] = []
    before = 0
    for number, value in enumerate(values, start=1):
        try:
            stories += texts_at(value, field)
        except WrongRowError:
            raise ValueError(
                f"entry {number:,} of {name} has no text"
                + (f" in a field `{field}`" if field else "")
                + ": mend it or take it out"
            ) from None
        while len(stories) >= ROWS:
            after = position()
            yield Chunk(stories[:ROWS], as_they_are, Location(name), after - before)
            stories, before = stories[ROWS:], after
    if stories:
        yield Chunk(stories, as_they_are, Location(name), position() - before)


def as_they_are(stories: list[str], _: Location) -> list[str]:
    """Return stories that were taken apart while reading."""
    return stories


def decoded(stream: Stream, name: str) -> Iterator[str]:
    """Yield the text of a stream, a few megabytes at a time."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while part := read_up_to(stream, readers.CHUNK_BYTES):
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise not_utf_8(Location(name)) from None


def rows(text: Iterable[str], form: Format, name: str) -> Iterator[str | None]:
    """Yield the column of separated values; None in a row that does not reach it."""
    content = lines(text)
    first = next(content, "")
    if not SEP_LINE.match(first):
        content = itertools.chain([first], content)
    try:
        table = rows_of(content, form.delimiter, form.quoted)
        if form.head:
            names = next(table, [])
            index = len(names) - 1 - names[::-1].index(form.field)  # of two, the last
        else:
            index = int(form.field) - 1
        for row in table:
            yield row[index] if index < len(row) else None
    except csv.Error as error:
        raise ValueError(f"{name} is not a table that can be read ({error}): mend it") from None


def lines(text: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text that comes in parts, with their ends."""
    rest = ""
    for part in text:
        *whole_lines, rest = (rest + part).split("\n")
        yield from (f"{line}\n" for line in whole_lines)
    if rest:
        yield rest


def json_values(text: Iterator[str], name: str) -> Iterator[Any]:
    """Yield the values of JSON arrays, or values that follow each other, in a text that comes in
    parts."""
    rest, start, number, is_array = "", 0, 0, False
    while True:
        start = BETWEEN_VALUES.match(rest, start).end()  # type: ignore[union-attr]
        if rest[start : start + 1] == ("]" if is_array else "["):
            is_array, start = not is_array, start + 1
            continue
        try:
            value, end = DECODER.raw_decode(rest, start)
            if end == len(rest) and not isinstance(value, str | dict | list):
                raise json.JSONDecodeError("a number could go on", rest, end)
        except (ValueError, RecursionError):
            left = len(rest) - start
            longest = LONGEST if is_array else LONGEST_VALUE
            more = as_much_as(text, left) if left <= longest else ""
            if not more and not left and not is_array:
                return
            if not more:
                raise ValueError(
                    f"entry {number + 1:,} of {name} is not JSON: mend it or take it out"
                ) from None
            rest, start = rest[start:] + more, 0
            continue
        yield value
        start, number = end, number + 1


def as_much_as(text: Iterator[str], size: int) -> str:
    """Return the next parts of a text, so many characters or more: a value that is cut off is
    decoded from its start again, so each time at least twice as much of it is there."""
    parts: list[str] = []
    while size >= 0 and (part := next(text, "")):
        parts.append(part)
        size -= len(part)
    return "".join(parts)
