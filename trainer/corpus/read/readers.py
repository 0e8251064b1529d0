"""Read a file of stories in one pass: open it, detect its format, yield its stories.

A kind of file is one row of READERS: its ending, and a function that detects the format of an open
file and returns it with the file's chunks.

    .jsonl .ndjson        an object per line, or objects over several lines
    .json                 an array of objects or of texts, one object, or an object per line
    .csv .tsv             a table, of which the delimiter, quoting and head line are detected
    .txt                  stories separated by <|endoftext|>, empty lines, line ends or another mark
    .parquet .arrow       a table; a folder of `datasets.save_to_disk` holds .arrow files

The first four may be compressed (packing.py) and in UTF-16. The field or column is `text` or the
only candidate (fields.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from trainer.corpus.read import columns, json_values, separated_values, text
from trainer.corpus.read.chunks import Chunk
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import OpenFile, StoryFile, bare_name, open_files, unbroken
from trainer.settings.corpus import Corpus

READERS: dict[str, Callable[[OpenFile, str, Corpus], tuple[Format, Iterator[Chunk]]]] = {
    "jsonl": json_values.read,
    "ndjson": json_values.read,
    "json": json_values.read,
    "csv": separated_values.read,
    "tsv": separated_values.read,
    "txt": text.read,
    "parquet": columns.read,
    "arrow": columns.read,
}
FROM_THE_DISK = ("parquet", "arrow")  # neither compressed nor in an archive
KNOWN_KINDS = (
    ".jsonl, .json, .csv, .tsv, .txt (these also .gz, .zst, .xz or .bz2), .parquet, .arrow, .zip or"
    " .tar"
)


@dataclass(frozen=True)
class Reading:
    """A file that is being read: its format, and its chunks while it is open."""

    opened: OpenFile
    form: Format
    chunks: Iterator[Chunk]


def kind_by_name(name: str) -> str:
    """Return the kind of a file, by its ending. Raises ValueError if the kind is unknown."""
    bare = bare_name(name)
    _, dot, kind = bare.rpartition(".")
    if not dot or kind not in READERS or (kind in FROM_THE_DISK and bare != name.lower()):
        raise ValueError(f"{name} is of no known kind: give a {KNOWN_KINDS} file")
    return kind


def read_files(files: Iterable[StoryFile], settings: Corpus) -> Iterator[Reading]:
    """Open and read one file after the other; the next closes the one before. Raises
    ValueError if a file cannot be read to its end, or its format cannot be decided; the message
    names the file and the setting."""
    files = list(files)
    opened_files = open_files(files)
    for file in files:
        kind = kind_by_name(file.name)
        with unbroken(file):
            opened = next(opened_files)
            form, chunks = READERS[kind](opened, kind, settings)
        yield Reading(opened, form, whole(file, chunks))


def whole(file: StoryFile, chunks: Iterable[Chunk]) -> Iterator[Chunk]:
    """Yield the chunks of a file to its end."""
    with unbroken(file):
        yield from chunks
