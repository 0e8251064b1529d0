"""Where stories come from: files, standard input, the bundled sample, data sets on the Hub.

A source is named by the setting corpus.source:

    roneneldan/TinyStories      the data set on the Hub, at the commit corpus.revision
    gpt4                        its second version, two text files in the same repository
    owner/name                  any other data set on the Hub, its split corpus.split
    sample                      the stories that ship with the project
    -                           standard input, jsonl or txt
    stories.jsonl,more/*.txt    files, patterns and folders (readers.py says which kinds)

The identity of a source goes into the fingerprint of the store: the SHA-256 of every file, or the
commit on the Hub.
"""

from __future__ import annotations

import contextlib
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from trainer.corpus.read.chunks import CHUNK_BYTES, Chunk
from trainer.corpus.read.files import NamedFiles, find_files, names_of, readable, shown
from trainer.corpus.read.formats import Format
from trainer.corpus.read.hub import Chunks, data_set, download, hub_parts
from trainer.corpus.read.packing import StoryFile
from trainer.corpus.read.readers import read_files
from trainer.settings.corpus import Corpus

SAMPLE = Path(__file__).parents[1] / "sample.jsonl"


@dataclass(frozen=True)
class Source:
    """Stories to train on and, where the source has such a part, validation stories.

    Attributes:
        name: for people.
        identity: of the content: checksums of files, or the commit on the Hub.
        size: bytes that will be read; 0 if unknown, on the Hub.
        train: returns its chunks, from the start.
        validation: likewise; None if training stories must be held out.
        notes: how it is read, a line each.
    """

    name: str
    identity: dict[str, Any]
    size: int
    train: Chunks
    validation: Chunks | None
    notes: tuple[str, ...] = ()


@contextlib.contextmanager
def open_source(settings: Corpus) -> Iterator[Source]:
    """Open the source that the settings name.

    Raises:
        ValueError: there is no such file, or it cannot be read.
        OSError: there is no room in the folder for a copy of standard input.
    """
    home = Path(settings.folder).expanduser()
    discard_copies(home)
    wanted = None if settings.source in ("-", "sample") else data_set(settings.source)
    named, size, identity = NamedFiles(), 0, list[Any]()
    with contextlib.ExitStack() as stack:
        if wanted and not wanted.file:
            name, identity, train, validation = hub_parts(wanted, settings)
        else:
            if settings.source == "-":
                refuse_several_readers()
                named = NamedFiles([StoryFile(stack.enter_context(spooled(home)))])
            elif settings.source == "sample":
                named = NamedFiles([StoryFile(SAMPLE)])
            else:
                source = str(download(wanted, settings)) if wanted else settings.source
                named = find_files(source, settings.split)
            files, validation = FileSource(named.train, settings), None
            named.notes += files.notes
            identity, size, train = files.identity, files.size, files.chunks
            names = dict.fromkeys(shown(file.path.name) for file in named.train)
            name = {"-": "stdin", "sample": "sample"}.get(settings.source, ", ".join(names))
        identities = {"train": identity}
        if settings.validation:
            named.validation = find_files(settings.validation, "validation").train
        if named.validation:
            files = FileSource(named.validation, settings)
            identities["validation"], validation = files.identity, files.chunks
            size += files.size
        yield Source(name, identities, size, train, validation, tuple(named.notes))


class FileSource:
    """Files, each with its format and its checksum.

    Attributes:
        identity: format and checksum of each file, and its name inside an archive. Folder and name
            do not count.
        size: bytes of the files.
        notes: a line for each format.
    """

    def __init__(self, files: list[StoryFile], settings: Corpus) -> None:
        self.files, self.settings = files, settings
        self.identity: list[dict[str, Any]] = []
        checksums: dict[Path, str] = {}
        forms: dict[Format, list[StoryFile]] = {}
        for file, reading in zip(files, read_files(files, settings), strict=True):
            if file.path not in checksums:
                with readable(file.path):
                    checksums[file.path] = reading.opened.checksum()
            content = {"sha256": checksums[file.path]}
            content |= {"member": file.member} if file.member else {}
            self.identity.append(reading.form.to_json() | content)
            forms.setdefault(reading.form, []).append(file)
        self.size = sum(path.stat().st_size for path in checksums)
        self.notes = [f"reading {names_of(group)}: {form}" for form, group in forms.items()]

    def chunks(self) -> Iterator[Chunk]:
        """Yield the chunks of one file after the other."""
        for reading in read_files(self.files, self.settings):
            yield from reading.chunks


def refuse_several_readers() -> None:
    """Raise ValueError in a run of several processes: standard input reaches only one."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "corpus.source - (standard input) can be read by one process only: build the store "
            "first, with python -m trainer.corpus build --corpus.source -, and give its folder "
            "with --corpus.source"
        )


@contextlib.contextmanager
def spooled(folder: Path) -> Iterator[Path]:
    """Yield standard input as a file: it is read twice, for its checksum and for its stories."""
    part = read_stdin()
    suffix = "jsonl" if part.lstrip(b"\xef\xbb\xbf \n\r\t").startswith(b"{") else "txt"
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"stdin-{uuid.uuid4().hex}.{suffix}"
    with held(copy):
        with copy.open("wb") as stream:
            while part:
                stream.write(part)
                part = read_stdin()
        yield copy


@contextlib.contextmanager
def held(copy: Path) -> Iterator[None]:
    """Lock a copy of standard input for one process, and delete it afterwards. Raises OSError if
    another process has it (filelock.Timeout), or the folder is read-only."""
    lock = FileLock(copy.with_name(f".{copy.name}.lock"))
    lock.acquire(timeout=0)
    try:
        yield
    finally:
        copy.unlink(missing_ok=True)
        lock.release()
        Path(lock.lock_file).unlink(missing_ok=True)


def discard_copies(folder: Path) -> None:
    """Delete the copies of processes that were killed."""
    for copy in folder.glob(f"stdin-{'[0-9a-f]' * 32}.*"):
        with contextlib.suppress(OSError), held(copy):
            pass


def read_stdin() -> bytes:
    """Return the next part of standard input; nothing at its end."""
    with readable("standard input"):
        if sys.stdin is None:
            raise OSError("it is closed")
        return sys.stdin.buffer.read(CHUNK_BYTES)
