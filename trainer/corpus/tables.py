"""Stories in tables: parquet and Arrow files, comma-separated values, and arrays of JSON objects.

Like the readers of text these give chunks, and memory does not grow with the file.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from trainer.corpus.formats import Format, choose_field, delimiter
from trainer.corpus.readers import LONGEST, Chunk, Location, Stream, read_fully

ROWS = 4096  # of a table, in a chunk
BETWEEN_VALUES = re.compile(r"[\s,]*")


def column_of(file: Path, kind: str, wanted: str) -> str:
    """The column with the stories of a parquet or Arrow file.

    Raises:
        ValueError: the file is torn, or no column can only be meant.
    """
    with whole(file, kind):
        schema = open_table(file, kind)[0]
        texts = [field.name for field in schema if holds_text(field.type)]
        found = choose_field(file, texts, schema.names, wanted)
        if found not in texts:
            raise ValueError(f"the column `{found}` of {file} holds no text")
        return found


def holds_text(kind: Any) -> bool:
    """Whether a column's type is text: plain, large, a view (polars) or categories (pandas)."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))


def open_table(file: Path, kind: str) -> tuple[Any, Callable[[str], Iterator[Any]], int]:
    """A table's schema, what reads the batches of a column, and its rows (0: not known)."""
    import pyarrow
    import pyarrow.parquet

    if kind == "parquet":
        table = pyarrow.parquet.ParquetFile(file)
        return (
            table.schema_arrow,
            lambda name: (b.column(0) for b in table.iter_batches(ROWS, columns=[name])),
            table.metadata.num_rows,
        )
    stream = pyarrow.memory_map(str(file))
    try:
        reader = pyarrow.ipc.open_stream(stream)  # what datasets.save_to_disk writes
    except pyarrow.ArrowInvalid:
        opened = pyarrow.ipc.open_file(stream)
        batches = (opened.get_batch(number) for number in range(opened.num_record_batches))
        return opened.schema, lambda name: (b.column(name) for b in batches), 0
    return reader.schema, lambda name: (b.column(name) for b in reader), 0


@contextlib.contextmanager
def whole(file: Path, kind: str) -> Iterator[None]:
    """What Arrow finds wrong with a file, as one sentence."""
    import pyarrow

    try:
        yield
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} is not a whole {kind} file ({reason}): fetch it again") from None


def table_chunks(file: Path, form: Format) -> Iterator[Chunk]:
    """A column of a parquet or Arrow file, in chunks."""
    with whole(file, form.kind):
        _, batches, num_rows = open_table(file, form.kind)
        size, location = file.stat().st_size, Location(str(file))
        for content in batches(form.field):
            read = int(size * len(content) / num_rows) if num_rows else content.nbytes
            yield Chunk(content, column, location, read)


def column(content: Any, location: Location) -> list[str]:
    """The stories of a column; rows without one are passed over."""
    try:
        return [story for story in content.to_pylist() if story is not None]
    except UnicodeDecodeError:
        raise ValueError(f"a column of {location.file} is not UTF-8: mend it") from None


def value_chunks(
    stream: Stream, form: Format, name: str, position: Callable[[], int]
) -> Iterator[Chunk]:
    """The stories of comma-separated values or of a JSON array, in chunks."""
    text = decoded(stream, name)
    values = array(text, name) if form.kind == "json" else rows(text, form, name)
    stories: list[str] = []
    before = 0
    for number, value in enumerate(values, start=1):
        if form.kind == "json" and form.field:
            value = value.get(form.field) if isinstance(value, dict) else None
        if not isinstance(value, str):
            raise ValueError(
                f"entry {number:,} of {name} has no text"
                + (f" in a field `{form.field}`" if form.field else "")
                + ": mend it or take it out"
            )
        stories.append(value)
        if len(stories) == ROWS:
            after = position()
            yield Chunk(stories, as_they_are, Location(name), after - before)
            stories, before = [], after
    if stories:
        yield Chunk(stories, as_they_are, Location(name), position() - before)


def as_they_are(stories: list[str], _: Location) -> list[str]:
    """Stories that were taken apart while reading."""
    return stories


def decoded(stream: Stream, name: str) -> Iterator[str]:
    """The text of a stream, a few megabytes at a time."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    try:
        while part := read_fully(stream):
            yield decoder.decode(part)
        yield decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        raise ValueError(f"{name} is not UTF-8: save it as UTF-8") from None


def rows(text: Iterable[str], form: Format, name: str) -> Iterator[str | None]:
    """The column of comma- or tab-separated values; csv knows quotes and breaks within them."""
    csv.field_size_limit(LONGEST)
    try:
        for row in csv.DictReader(lines(text), delimiter=delimiter(form.kind)):
            yield row.get(form.field)
    except csv.Error as error:
        raise ValueError(f"{name} is not a table that can be read ({error}): mend it") from None


def lines(text: Iterable[str]) -> Iterator[str]:
    """The lines of a text that comes in parts, with their ends."""
    rest = ""
    for part in text:
        *whole_lines, rest = (rest + part).split("\n")
        yield from (f"{line}\n" for line in whole_lines)
    if rest:
        yield rest


def array(text: Iterator[str], name: str) -> Iterator[Any]:
    """The values of a JSON array that comes in parts."""
    decoder, rest, start, number = json.JSONDecoder(), next(text, ""), 0, 0
    start = rest.find("[") + 1
    while True:
        start = BETWEEN_VALUES.match(rest, start).end()  # type: ignore[union-attr]
        if rest.startswith("]", start):
            return
        try:
            value, end = decoder.raw_decode(rest, start)
            if end == len(rest):  # a number could go on
                raise json.JSONDecodeError("cut off", rest, end)
        except (ValueError, RecursionError):
            more = next(text, "")
            if not more or len(rest) - start > LONGEST:
                raise ValueError(
                    f"entry {number + 1:,} of {name} is not JSON: mend it or take it out"
                ) from None
            rest, start = rest[start:] + more, 0
            continue
        yield value
        start, number = end, number + 1
