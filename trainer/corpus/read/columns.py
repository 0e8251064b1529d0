"""Stories in a column of a parquet or Arrow file, which pyarrow reads from the disk."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from trainer.corpus.read.chunks import ROWS, Chunk
from trainer.corpus.read.fields import ROWS_LOOKED_AT, WrongRowError, choose_field, survey, texts_at
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import OpenFile, StoryFile
from trainer.settings.corpus import Corpus

Batches = Callable[[list[str], int], Iterator[Any]]  # of these columns, with this many rows
FEW = 256  # rows of a parquet file that are looked at


def read(opened: OpenFile, kind: str, settings: Corpus) -> tuple[Format, Iterator[Chunk]]:
    """Return which column of a parquet or Arrow file is read, and its chunks. Raises ValueError if
    the file is damaged, or the column is ambiguous."""
    file = opened.file
    with undamaged(file, kind):
        schema, batches, num_rows = open_table(file.path, kind)
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
    path = choose_field(str(file), columns | survey([numbers]), settings.field)
    name = path
    while name not in schema.names and "." in name:
        name = name.rpartition(".")[0]
    path_inside = path.removeprefix(name).removeprefix(".")
    chunks = chunks_of(file, kind, batches([name], ROWS), path_inside, num_rows)
    return Format(kind, path), chunks


def may_hold_text(kind: Any) -> bool:
    """Return whether a column's type is text, bytes that may be text, or contains either."""
    from pyarrow import types

    if types.is_dictionary(kind):
        kind = kind.value_type
    plain = (types.is_string, types.is_large_string, types.is_string_view)
    packed = (types.is_binary, types.is_large_binary, types.is_binary_view)
    inside = (types.is_list, types.is_large_list, types.is_struct, types.is_map)
    return any(check(kind) for check in (*plain, *packed, *inside))


def text_or_value(value: Any) -> Any:
    """Return bytes decoded to text, or 0 if they are not text; any other value unchanged."""
    try:
        return as_text(value)
    except UnicodeDecodeError:
        return 0


def open_table(path: Path, kind: str) -> tuple[Any, Batches, int]:
    """Return the schema of a parquet or Arrow file, a function that reads the batches of some
    columns, and the number of rows (0: unknown)."""
    import pyarrow
    import pyarrow.parquet

    if kind == "parquet":
        table = pyarrow.parquet.ParquetFile(path)
        batches = lambda names, rows: table.iter_batches(rows, columns=names)  # noqa: E731
        return table.schema_arrow, batches, table.metadata.num_rows
    content = pyarrow.memory_map(str(path)).read_buffer()
    with contextlib.suppress(pyarrow.ArrowInvalid):
        schema = pyarrow.ipc.open_stream(content).schema  # what datasets.save_to_disk writes
        stream = lambda names, _: (b.select(names) for b in pyarrow.ipc.open_stream(content))  # noqa: E731
        return schema, stream, 0
    file = pyarrow.ipc.open_file(content)
    numbers = range(file.num_record_batches)
    return file.schema, lambda names, _: (file.get_batch(n).select(names) for n in numbers), 0


@contextlib.contextmanager
def undamaged(file: StoryFile, kind: str) -> Iterator[None]:
    """Turn Arrow's errors about a file into one message."""
    import pyarrow

    try:
        yield
    except UnicodeDecodeError:
        raise ValueError(f"a column of {file} is not UTF-8: mend it") from None
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} is not a whole {kind} file ({reason}): fetch it again") from None


def chunks_of(
    file: StoryFile, kind: str, batches: Iterator[Any], path: str, num_rows: int
) -> Iterator[Chunk]:
    """Yield the batches of a column in chunks; `path` leads to the stories inside its values."""
    size = file.path.stat().st_size
    with undamaged(file, kind):
        for batch in batches:
            values = batch.column(0)
            share = int(size * len(values) / num_rows) if num_rows else values.nbytes
            yield Chunk(partial(parse_column, values, path, str(file)), share)


def parse_column(values: Any, path: str, name: str) -> list[str]:
    """Return the stories of a column; rows without one are skipped."""
    try:
        texts = values.to_pylist()
        if path or not all(isinstance(text, str | None) for text in texts):
            return [story for value in texts for story in texts_at(as_text(value), path)]
        return [story for story in texts if story is not None]
    except UnicodeDecodeError:
        raise ValueError(f"a column of {name} is not UTF-8: mend it") from None
    except WrongRowError:
        where = f" at `{path}`" if path else ""
        raise ValueError(f"a row of {name} has no text{where}: take it out") from None


def as_text(value: Any) -> Any:
    """Return bytes decoded to text; any other value unchanged."""
    return value.decode() if isinstance(value, bytes) else value
