"""Files of stories: which ones a name stands for, how each is understood, and its stories."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainer.corpus.formats import LOOK, TABLES, Format, kind_by_name, understand_text
from trainer.corpus.readers import CHUNK_BYTES, Chunk, open_file, text_chunks
from trainer.corpus.tables import column_of, table_chunks, value_chunks

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")


def find_files(names: str) -> list[Path]:
    """The files that a setting names: one, or several parted by commas, or patterns, or folders.

    A name that exists as it stands is that file, whatever commas and spaces it has. The files of a
    pattern and of a folder are sorted.

    Raises:
        ValueError: a name stands for no file, or for one of no known kind.
    """
    if exists(names):
        return files_of(names)
    return [file for name in names.split(",") for file in files_of(name)]


def exists(name: str) -> bool:
    """Whether a name is that of a file or a folder."""
    with readable(name):
        return Path(name).expanduser().exists()


def files_of(name: str) -> list[Path]:
    """The files that one name stands for."""
    name = name if exists(name) else name.strip()
    path = Path(name).expanduser()
    if path.is_dir():
        return files_in(path)
    with readable(name):
        matches = [path] if path.is_file() else map(Path, glob.glob(str(path), recursive=True))
        found = sorted(match for match in matches if match.is_file())
    if not found:
        hint = ""
        if HUB_NAME.fullmatch(name) and not name.startswith("."):
            hint = ", or a data set on the Hub alone"
        raise ValueError(f"there is no file {name}: give one that exists{hint}")
    for file in found:
        kind_by_name(file)
    return found


def files_in(folder: Path) -> list[Path]:
    """The files of stories in a folder; of one that `datasets.save_to_disk` wrote, its own.

    Raises:
        ValueError: there is none.
    """
    saved = saved_dataset(folder)
    if saved is not None:
        return saved
    found = []
    for file in sorted(folder.rglob("*")):
        with contextlib.suppress(ValueError):
            if file.is_file() and not file.name.startswith("."):
                kind_by_name(file)
                found.append(file)
    if not found:
        raise ValueError(
            f"{folder} holds no files of stories: it needs .jsonl, .json, .csv, .tsv, .txt, "
            ".parquet or .arrow files"
        )
    return found


def saved_dataset(folder: Path, split: str = "train") -> list[Path] | None:
    """The files of a folder that `datasets.save_to_disk` wrote, or None."""
    if (folder / "dataset_dict.json").is_file():
        folder = folder / split
    state = folder / "state.json"
    if not state.is_file():
        return None
    try:
        names = json.loads(state.read_text(encoding="utf-8"))["_data_files"]
        return [folder / name["filename"] for name in names]
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"{state} is not what datasets wrote: save the data set again") from None


def understand(file: Path, field: str = "", separator: str = "auto") -> Format:
    """How a file is read.

    Raises:
        ValueError: that cannot be decided; the sentence names the file and the setting.
    """
    kind = kind_by_name(file)
    if kind in TABLES:
        return Format(kind, column_of(file, kind, field))
    with unbroken(file), open_file(file) as (stream, _):
        start = stream.read(LOOK)
    return understand_text(file, start, field, separator)


def chunks_of(file: Path, form: Format) -> Iterator[Chunk]:
    """A file in chunks.

    Raises:
        ValueError: it cannot be read to its end, or is not of the kind that its name says.
    """
    if form.kind in TABLES:
        yield from table_chunks(file, form)
        return
    read = text_chunks if form.kind in ("jsonl", "txt") else value_chunks
    with unbroken(file), open_file(file) as (stream, position):
        yield from read(stream, form, str(file), position)


@contextlib.contextmanager
def unbroken(file: Path) -> Iterator[None]:
    """What goes wrong in reading a file, as one sentence."""
    try:
        yield
    except (OSError, EOFError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"{file} cannot be read to its end ({reason}): fetch it again") from None


def read_file(file: Path, field: str = "", separator: str = "auto") -> Iterator[str]:
    """The stories of one file, as they stand there but for what belongs to the file.

    Raises:
        ValueError: the file is missing, of no known kind, or broken; the sentence names it.
    """
    if not file.is_file():
        raise ValueError(f"there is no file {file}")
    chunks = chunks_of(file, understand(file, field, separator))
    return itertools.chain.from_iterable(chunk.stories() for chunk in chunks)


def identity_of(file: Path, form: Format) -> dict[str, str]:
    """How a file is read, and its checksum; where it lies and what it is called change no store."""
    digest = hashlib.sha256()
    with readable(file), file.open("rb") as stream:
        while part := stream.read(CHUNK_BYTES):
            digest.update(part)
    return form.to_json() | {"sha256": digest.hexdigest()}


@contextlib.contextmanager
def readable(name: object) -> Iterator[None]:
    """What goes wrong in reading, as one sentence that names the input."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{name} cannot be read ({reason}): check what and whose it is") from None


def shown(name: Any) -> str:
    """A name for people and JSON, also if it is no UTF-8 on this disk."""
    return os.fsencode(name).decode(errors="replace")
