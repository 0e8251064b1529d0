"""Where stories come from: files, standard input, the bundled sample, the Hub's TinyStories.

A source is read in pieces of a few megabytes that hold whole stories. Cutting the pieces is the
reader's work; taking a piece apart (`Piece.stories`) is left to whoever asks, so that it can happen
in parallel. Memory does not grow with the source.

    .jsonl      an object a line, the story in its field `text`
    .txt        stories parted by lines that hold <|endoftext|>
    .parquet    the column `text`

.jsonl and .txt may be compressed: .gz, .zst. The `datasets` library is used here only.
"""

from __future__ import annotations

import glob
import gzip
import hashlib
import itertools
import json
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from trainer.config import Corpus

SAMPLE = Path(__file__).parent / "sample.jsonl"
HUB = "roneneldan/TinyStories"
GPT4_FILES = {
    "train": "TinyStoriesV2-GPT4-train.txt",
    "validation": "TinyStoriesV2-GPT4-valid.txt",
}
MARK = b"<|endoftext|>"
PIECE = 4 * 2**20  # bytes read at once
LONGEST = 16 * 2**20  # bytes; what is longer is no story
ROWS = 4096  # of a table, read at once


@dataclass(frozen=True)
class Piece:
    """Some whole stories, as they were read.

    Attributes:
        content: bytes of a text file, or the stories themselves.
        take_apart: makes stories of `content`; gets it and `where`.
        where: file and, in a jsonl file, number of the first line.
    """

    content: Any
    take_apart: Callable[[Any, tuple[str, int]], list[str]]
    where: tuple[str, int]

    def stories(self) -> list[str]:
        """The stories of this piece.

        Raises:
            ValueError: a line is broken; the sentence names it.
        """
        return self.take_apart(self.content, self.where)


@dataclass(frozen=True)
class Source:
    """Stories to train on and, where the source has such a part, stories to judge on.

    Attributes:
        name: for people.
        identity: what decides the content: checksums of files, or the revision on the Hub.
        train: the pieces, from the start.
        validation: likewise; None when training stories have to be kept apart.
    """

    name: str
    identity: dict[str, Any]
    train: Callable[[], Iterator[Piece]]
    validation: Callable[[], Iterator[Piece]] | None


def open_source(settings: Corpus) -> Source:
    """The source that the settings name.

    Raises:
        ValueError: there is no such file, or the Hub cannot be reached; one sentence.
    """
    identity: dict[str, Any] = {}
    hub = settings.source in (HUB, "gpt4")
    if hub:
        name = HUB if settings.source == HUB else f"{HUB} (GPT-4 version)"
        identity["hub"] = [settings.source, settings.revision]
        train = hub_reader(settings, "train")
        validation: Callable[[], Iterator[Piece]] | None = hub_reader(settings, "validation")
    else:
        files = [SAMPLE] if settings.source == "sample" else find_files(settings.source)
        name = "sample" if settings.source == "sample" else ", ".join(file.name for file in files)
        identity["train"] = [file_identity(file) for file in files]
        train, validation = file_reader(files), None
    if settings.validation:
        files = find_files(settings.validation)
        identity["validation"] = [file_identity(file) for file in files]
        validation = file_reader(files)
    return Source(name, identity, train, validation)


def find_files(names: str) -> list[Path]:
    """The files of a list of names and patterns parted by commas; those of a pattern are sorted."""
    found: list[Path] = []
    for name in names.split(","):
        matches = [name] if Path(name).is_file() else sorted(glob.glob(name, recursive=True))
        files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise ValueError(f"there is no file {name}: give corpus.source a file that exists")
        found += files
    for file in found:
        kind(file)
    return found


def kind(file: Path) -> str:
    """jsonl, txt or parquet, by the name of a file."""
    suffixes = [suffix.lower() for suffix in file.suffixes]
    if suffixes and suffixes[-1] in (".gz", ".zst"):
        suffixes.pop()
    if not suffixes or suffixes[-1] not in (".jsonl", ".txt", ".parquet"):
        raise ValueError(
            f"{file} is of no known kind: give a .jsonl, .txt or .parquet file (the first two also"
            " as .gz or .zst)"
        )
    return suffixes[-1][1:]


def file_identity(file: Path) -> dict[str, str]:
    """Kind and checksum of a file; where it lies and what it is called change no store."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256") if sys.version_info >= (3, 11) else None
        if digest is None:
            digest = hashlib.sha256()
            while part := stream.read(PIECE):
                digest.update(part)
    return {"kind": "".join(file.suffixes[-2:]), "sha256": digest.hexdigest()}


def file_reader(files: list[Path]) -> Callable[[], Iterator[Piece]]:
    """Reads files one after the other."""
    return lambda: itertools.chain.from_iterable(file_pieces(file) for file in files)


def read_file(file: Path) -> Iterator[str]:
    """The stories of one file, as they stand there.

    Raises:
        ValueError: the file is missing, of no known kind, or broken; the sentence names the place.
    """
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    return itertools.chain.from_iterable(piece.stories() for piece in file_pieces(file))


def file_pieces(file: Path) -> Iterator[Piece]:
    """A file in pieces."""
    if kind(file) == "parquet":
        yield from table_pieces(file)
        return
    separator, take_apart = (b"\n", parse_lines) if kind(file) == "jsonl" else (MARK, parse_marked)
    line = 1
    with decompressed(file) as stream:
        for content in cut(stream, separator, file):
            yield Piece(content, take_apart, (str(file), line))
            line += content.count(b"\n")


def decompressed(file: Path) -> IO[bytes]:
    """The content of a file that may be compressed."""
    if file.suffix.lower() == ".gz":
        return gzip.open(file)
    if file.suffix.lower() == ".zst":
        import zstandard

        return zstandard.open(file, "rb")  # type: ignore[no-any-return]
    return file.open("rb")


def cut(stream: IO[bytes], separator: bytes, file: Path) -> Iterator[bytes]:
    """The content in pieces of PIECE bytes or so, each but the last ending with a separator."""
    rest = b""
    try:
        while part := stream.read(PIECE):
            end = part.rfind(separator)
            if end < 0:
                # A separator may lie across the border; rest is short unless a story is very long.
                rest += part
                end = rest.rfind(separator)
                if end < 0:
                    if len(rest) > LONGEST:
                        raise ValueError(
                            f"{file} has more than {LONGEST >> 20} MB without an end of a story:"
                            " is it of the kind that its name says?"
                        )
                    continue
                part, rest = rest, b""
            end += len(separator)
            yield rest + part[:end]
            rest = part[end:]
    except (EOFError, OSError) as error:
        raise ValueError(f"{file} cannot be read to its end: {error}") from None
    if rest:
        yield rest


def parse_lines(content: bytes, where: tuple[str, int]) -> list[str]:
    """The stories of some jsonl lines; empty lines are passed over."""
    found = []
    for number, line in enumerate(content.split(b"\n")):
        if line.strip():
            try:
                found.append(story_of(json.loads(line)))
            except ValueError as error:
                wrong = (
                    "is not UTF-8"
                    if isinstance(error, UnicodeDecodeError)
                    else "is not JSON"
                    if isinstance(error, json.JSONDecodeError)
                    else str(error)
                )
                raise ValueError(
                    f"line {where[1] + number} of {where[0]} {wrong}: mend it or take it out"
                ) from None
    return found


def story_of(row: Any) -> str:
    """The story in a row."""
    if not isinstance(row, dict) or not isinstance(row.get("text"), str):
        raise ValueError("has no text in a field `text`")
    return str(row["text"])


def parse_marked(content: bytes, where: tuple[str, int]) -> list[str]:
    """The stories of a text in which end-of-text marks part them."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        line = where[1] + content.count(b"\n", 0, error.start)
        raise ValueError(
            f"line {line} of {where[0]} is not UTF-8: mend it or take it out"
        ) from None
    stories = text.split(MARK.decode())
    return [story for story in stories if story.strip()]


def table_pieces(file: Path) -> Iterator[Piece]:
    """The column `text` of a parquet file, in pieces."""
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(file) as table:
            if "text" not in table.schema_arrow.names:
                columns = ", ".join(table.schema_arrow.names)
                raise ValueError(f"{file} has no column `text` (its columns: {columns})")
            for batch in table.iter_batches(ROWS, columns=["text"]):
                yield Piece(batch.column(0), take_column, (str(file), 0))
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{file} is not a whole parquet file: {error}") from None


def take_column(content: Any, where: tuple[str, int]) -> list[str]:
    """The stories of a column; rows without one are passed over."""
    return [story for story in content.to_pylist() if story is not None]


def hub_reader(settings: Corpus, split: str) -> Callable[[], Iterator[Piece]]:
    """Reads one split from the Hub."""
    return lambda: hub_pieces(settings, split)


def hub_pieces(settings: Corpus, split: str) -> Iterator[Piece]:
    """One split of the Hub's data set, in pieces, streamed by `datasets`."""
    try:
        import datasets

        table = datasets.load_dataset(HUB, split=split, revision=settings.revision, streaming=True)
        for rows in table.iter(ROWS):
            yield Piece(rows["text"], take_list, (HUB, 0))
    except (OSError, ImportError) as error:
        raise ValueError(
            f"the Hub's {HUB} cannot be reached ({type(error).__name__}): give your own stories"
            " with --corpus.source FILE, or take the bundled ones with --corpus.source sample"
        ) from None


def take_list(content: Iterable[str], where: tuple[str, int]) -> list[str]:
    """Stories that are a list already."""
    return list(content)
