"""Where stories come from: files, standard input, the bundled sample, the Hub's TinyStories.

A source is named by the setting corpus.source:

    roneneldan/TinyStories      the data set on the Hub, at the commit corpus.revision
    gpt4                        its second version, two text files in the same repository
    sample                      the stories that ship with the project
    -                           standard input, jsonl or txt
    stories.jsonl,more/*.txt    files and patterns (readers.py says which kinds)

The identity of a source goes into the fingerprint of the store: the SHA-256 of every file, or the
commit on the Hub. `datasets` and the Hub are used in this file only.
"""

from __future__ import annotations

import contextlib
import glob
import hashlib
import itertools
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from trainer.config import Corpus
from trainer.corpus.readers import (
    PIECE,
    ROWS,
    Piece,
    Place,
    kind_of,
    pieces_of,
    read_file,
    text_pieces,
)

__all__ = ["Source", "open_source", "read_file"]

SAMPLE = Path(__file__).parent / "sample.jsonl"
HUB = "roneneldan/TinyStories"
GPT4_FILES = {
    "train": "TinyStoriesV2-GPT4-train.txt",
    "validation": "TinyStoriesV2-GPT4-valid.txt",
}
Pieces = Callable[[], Iterator[Piece]]


@dataclass(frozen=True)
class Source:
    """Stories to train on and, where the source has such a part, stories to judge on.

    Attributes:
        name: for people.
        identity: what decides the content: checksums of files, or the commit on the Hub.
        size: bytes that will be read; 0 where the Hub does not tell.
        train: its pieces, from the start.
        validation: likewise; None when training stories have to be kept apart.
    """

    name: str
    identity: dict[str, Any]
    size: int
    train: Pieces
    validation: Pieces | None


@contextlib.contextmanager
def open_source(settings: Corpus) -> Iterator[Source]:
    """The source that the settings name.

    Raises:
        ValueError: there is no such file, or it cannot be read; one sentence.
        OSError: there is no room in the folder for a copy of standard input.
    """
    discard_copies(Path(settings.folder))
    with contextlib.ExitStack() as stack:
        identity: dict[str, Any] = {}
        validation: Pieces | None = None
        files: list[Path] = []
        if settings.source in (HUB, "gpt4"):
            name = HUB if settings.source == HUB else f"{HUB} (GPT-4 version)"
            identity["train"] = [settings.source, settings.revision]
            train = hub_reader(settings, "train")
            validation = hub_reader(settings, "validation")
        else:
            if settings.source == "sample":
                name, files = "sample", [SAMPLE]
            elif settings.source == "-":
                name, files = "stdin", [stack.enter_context(spooled(Path(settings.folder)))]
            else:
                files = find_files(settings.source)
                name = ", ".join(file.name for file in files)
            identity["train"] = [identity_of(file) for file in files]
            train = file_reader(files)
        if settings.validation:
            apart = find_files(settings.validation, "validation")
            identity["validation"] = [identity_of(file) for file in apart]
            validation, files = file_reader(apart), files + apart
        size = sum(file.stat().st_size for file in files)
        yield Source(name, identity, size, train, validation)


def find_files(names: str, key: str = "source") -> list[Path]:
    """The files of a list of names and patterns parted by commas; those of a pattern are sorted.

    Raises:
        ValueError: a name stands for no file, or for one of no known kind.
    """
    found: list[Path] = []
    for name in names.split(","):
        with readable(name):
            matches = [name] if Path(name).is_file() else sorted(glob.glob(name, recursive=True))
            files = [Path(match) for match in matches if Path(match).is_file()]
        if not files:
            raise ValueError(f"there is no file {name}: give --corpus.{key} one that exists")
        found += files
    for file in found:
        kind_of(file)
    return found


def identity_of(file: Path) -> dict[str, str]:
    """Kind and checksum of a file; where it lies and what it is called change no store."""
    digest = hashlib.sha256()
    with readable(file), file.open("rb") as stream:
        while part := stream.read(PIECE):
            digest.update(part)
    return {"kind": kind_of(file), "sha256": digest.hexdigest()}


@contextlib.contextmanager
def readable(name: object) -> Iterator[None]:
    """What goes wrong in reading, as one sentence that names the input."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{name} cannot be read ({reason}): check what and whose it is") from None


def file_reader(files: list[Path]) -> Pieces:
    """Reads files one after the other."""
    return lambda: itertools.chain.from_iterable(pieces_of(file) for file in files)


@contextlib.contextmanager
def spooled(folder: Path) -> Iterator[Path]:
    """Standard input as a file, for as long as it is used: it has to be read twice, for its
    checksum and for its stories."""
    part = read_stdin()
    suffix = "jsonl" if part.lstrip().startswith(b"{") else "txt"
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
    """A copy of standard input in the hands of one process, and gone afterwards.

    Raises:
        OSError: another process has it (filelock.Timeout), or the folder is read-only.
    """
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
    """The next part of standard input; nothing at its end."""
    with readable("standard input"):
        if sys.stdin is None:
            raise OSError("it is closed")
        return sys.stdin.buffer.read(PIECE)


def hub_reader(settings: Corpus, split: str) -> Pieces:
    """Reads one split from the Hub."""
    pieces = original_pieces if settings.source == HUB else gpt4_pieces

    def stream() -> Iterator[Piece]:
        with one_sentence():
            yield from pieces(settings.revision, split)

    def read() -> Iterator[Piece]:
        with one_sentence():
            ask(settings.revision)
        return stream()

    return read


@contextlib.contextmanager
def one_sentence() -> Iterator[None]:
    """What goes wrong with the Hub, as one sentence on what to do without it."""
    try:
        yield
    except Exception as error:  # every layer of the network has errors of its own
        raise ValueError(
            f"the Hub's {HUB} cannot be read ({type(error).__name__}): give your own stories with"
            " --corpus.source FILE, or take the bundled ones with --corpus.source sample"
        ) from None


def ask(revision: str) -> None:
    """Whether the Hub is there, which it says at once; reading tries again for half a minute.

    Raises:
        Exception: it is not.
    """
    import huggingface_hub
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # no warning each time it tries again
    huggingface_hub.HfApi().dataset_info(HUB, revision=revision, timeout=10)


def original_pieces(revision: str, split: str) -> Iterator[Piece]:
    """A split of the first version, streamed."""
    import datasets

    datasets.utils.logging.set_verbosity_error()
    # Within each of these huggingface_hub tries six times; 20 would be ten minutes of silence.
    datasets.config.STREAMING_OPEN_MAX_RETRIES = datasets.config.STREAMING_READ_MAX_RETRIES = 2
    table = datasets.load_dataset(HUB, split=split, revision=revision, streaming=True)
    for rows in table.iter(ROWS):
        stories = [story for story in rows["text"] if story is not None]
        yield Piece(stories, lambda content, _: content, Place(HUB), sum(map(len, stories)))


def gpt4_pieces(revision: str, split: str) -> Iterator[Piece]:
    """A split of the second version, streamed."""
    import huggingface_hub

    name = f"datasets/{HUB}@{revision}/{GPT4_FILES[split]}"
    with huggingface_hub.HfFileSystem().open(name, block_size=PIECE) as stream:
        yield from text_pieces(stream, "txt", name, stream.tell)
