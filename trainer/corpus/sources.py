"""Where stories come from: files, standard input, the bundled sample, data sets on the Hub.

A source is named by the setting corpus.source:

    roneneldan/TinyStories      the data set on the Hub, at the commit corpus.revision
    gpt4                        its second version, two text files in the same repository
    owner/name                  any other data set on the Hub, its split corpus.split
    sample                      the stories that ship with the project
    -                           standard input, jsonl or txt
    stories.jsonl,more/*.txt    files, patterns and folders (formats.py says which kinds)

The identity of a source goes into the fingerprint of the store: the SHA-256 of every file, or the
commit on the Hub. `datasets` and the Hub are used in this file only.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from trainer.corpus.files import (
    HUB_NAME,
    chunks_of,
    exists,
    find_files,
    identity_of,
    readable,
    saved_dataset,
    shown,
    understand,
)
from trainer.corpus.formats import Format, choose_field, kind_by_name
from trainer.corpus.readers import CHUNK_BYTES, Chunk, Location, text_chunks
from trainer.corpus.tables import ROWS, as_they_are
from trainer.corpus_config import DEFAULT_REVISION, Corpus

SAMPLE = Path(__file__).parent / "sample.jsonl"
HUB = "roneneldan/TinyStories"
GPT4_FILES = {
    "train": "TinyStoriesV2-GPT4-train.txt",
    "validation": "TinyStoriesV2-GPT4-valid.txt",
}
Chunks = Callable[[], Iterator[Chunk]]


@dataclass(frozen=True)
class Source:
    """Stories to train on and, where the source has such a part, validation stories.

    Attributes:
        name: for people.
        identity: what decides the content: checksums of files, or the commit on the Hub.
        size: bytes that will be read; 0 where the Hub does not say.
        train: its chunks, from the start.
        validation: likewise; None when training stories have to be kept apart.
    """

    name: str
    identity: dict[str, Any]
    size: int
    train: Chunks
    validation: Chunks | None


@contextlib.contextmanager
def open_source(settings: Corpus) -> Iterator[Source]:
    """The source that the settings name.

    Raises:
        ValueError: there is no such file, or it cannot be read; one sentence.
        OSError: there is no room in the folder for a copy of standard input.
    """
    home = Path(settings.folder).expanduser()
    discard_copies(home)
    with contextlib.ExitStack() as stack:
        if settings.source == "-":
            refuse_several_readers()
            train = FileSource([stack.enter_context(spooled(home))], settings)
            name = "stdin"
        elif settings.source == "sample":
            name, train = "sample", FileSource([SAMPLE], settings)
        elif is_on_hub(settings.source):
            yield hub_source(settings)
            return
        else:
            train = FileSource(find_files(settings.source), settings)
            name = ", ".join(shown(file.name) for file in train.files)
        identity, size = {"train": train.identity}, train.size
        validation = validation_files(settings)
        if validation:
            identity["validation"], size = validation.identity, size + validation.size
        apart = validation.chunks if validation else None
        yield Source(name, identity, size, train.chunks, apart)


class FileSource:
    """Files, each with how it is understood."""

    def __init__(self, files: list[Path], settings: Corpus) -> None:
        self.files = files
        self.forms = [understand(file, settings.field, settings.separator) for file in files]

    @property
    def identity(self) -> list[dict[str, str]]:
        """What decides which stories are read."""
        return list(map(identity_of, self.files, self.forms))

    @property
    def size(self) -> int:
        """Bytes of the files."""
        return sum(file.stat().st_size for file in self.files)

    def chunks(self) -> Iterator[Chunk]:
        """One file after the other."""
        return itertools.chain.from_iterable(map(chunks_of, self.files, self.forms))


def validation_files(settings: Corpus) -> FileSource | None:
    """The validation files: those that are named, or the split of a saved data set."""
    if settings.validation:
        return FileSource(find_files(settings.validation), settings)
    folder = Path(settings.source).expanduser()
    if (folder / "dataset_dict.json").is_file():
        for split in ("validation", "test"):
            files = saved_dataset(folder, split)
            if files:
                return FileSource(files, settings)
    return None


def is_on_hub(name: str) -> bool:
    """Whether a source is a data set on the Hub."""
    if name in (HUB, "gpt4"):
        return True
    if not HUB_NAME.fullmatch(name) or exists(name) or name.startswith((".", "~")):
        return False
    try:
        kind_by_name(Path(name))
    except ValueError:
        return True
    return False  # stories/mine.jsonl is a file that is missing


def refuse_several_readers() -> None:
    """Standard input reaches one process only."""
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise ValueError(
            "corpus.source - (standard input) can be read by one process only: build the store "
            "first, with python -m trainer.corpus build --corpus.source -, and give its folder "
            "with --corpus.source"
        )


@contextlib.contextmanager
def spooled(folder: Path) -> Iterator[Path]:
    """Standard input as a file, for as long as it is used: it has to be read twice, for its
    checksum and for its stories."""
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
        return sys.stdin.buffer.read(CHUNK_BYTES)


def hub_source(settings: Corpus) -> Source:
    """A data set on the Hub: TinyStories at its commit, another at its newest or the given one."""
    name, revision = settings.source, settings.revision
    if name in (HUB, "gpt4"):
        title = HUB if name == HUB else f"{HUB} (GPT-4 version)"
        identity: dict[str, Any] = {"train": [name, revision]}
        validation: Chunks | None = hub_reader(settings, "validation")
        settings_split = "train"
    else:
        if revision == DEFAULT_REVISION:  # that of TinyStories
            with one_sentence(name):
                revision = newest_commit(name)
        title, validation, settings_split = name, None, settings.split
        identity = {"train": [name, revision, settings.split, settings.field]}
    train = hub_reader(settings, settings_split, revision)
    size = 0
    files = validation_files(settings) if settings.validation else None
    if files:
        identity["validation"], validation, size = files.identity, files.chunks, files.size
    return Source(title, identity, size, train, validation)


def hub_reader(settings: Corpus, split: str, revision: str = "") -> Chunks:
    """Reads one split from the Hub."""
    revision = revision or settings.revision
    name = HUB if settings.source == "gpt4" else settings.source

    def stream() -> Iterator[Chunk]:
        with one_sentence(name):
            if settings.source == "gpt4":
                yield from gpt4_chunks(revision, split)
            else:
                yield from dataset_chunks(name, revision, split, settings.field)

    def read() -> Iterator[Chunk]:
        with one_sentence(name):
            ask(name, revision)
        return stream()

    return read


@contextlib.contextmanager
def one_sentence(name: str) -> Iterator[None]:
    """What goes wrong with the Hub, as one sentence on what to do without it."""
    try:
        yield
    except FieldError:
        raise
    except Exception as error:  # every layer of the network has errors of its own
        raise ValueError(
            f"the Hub's {name} cannot be read ({type(error).__name__}): give your own stories with"
            " --corpus.source FILE, or take the bundled ones with --corpus.source sample"
        ) from None


class FieldError(ValueError):
    """A data set whose field of stories is ambiguous."""


def ask(name: str, revision: str) -> None:
    """Whether the Hub is there, which it says at once; reading tries again for half a minute.

    Raises:
        Exception: it is not.
    """
    import huggingface_hub
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # no warning each time it tries again
    huggingface_hub.HfApi().dataset_info(name, revision=revision, timeout=10)


def newest_commit(name: str) -> str:
    """The newest commit of a data set."""
    import huggingface_hub

    return str(huggingface_hub.HfApi().dataset_info(name, timeout=10).sha)


def dataset_chunks(name: str, revision: str, split: str, field: str) -> Iterator[Chunk]:
    """A split of a data set, streamed."""
    import datasets

    datasets.utils.logging.set_verbosity_error()
    # Within each of these huggingface_hub tries six times; 20 would be ten minutes of silence.
    datasets.config.STREAMING_OPEN_MAX_RETRIES = datasets.config.STREAMING_READ_MAX_RETRIES = 2
    table = datasets.load_dataset(name, split=split, revision=revision, streaming=True)
    column = ""
    for rows in table.iter(ROWS):
        if not column:
            texts = [key for key, values in rows.items() if isinstance(values[0], str)]
            try:
                column = choose_field(Path(name), texts, list(rows), field)
            except ValueError as error:
                raise FieldError(str(error)) from None
        stories = [story for story in rows[column] if story is not None]
        yield Chunk(stories, as_they_are, Location(name), sum(map(len, stories)))


def gpt4_chunks(revision: str, split: str) -> Iterator[Chunk]:
    """A split of the second version, streamed."""
    import huggingface_hub

    name = f"datasets/{HUB}@{revision}/{GPT4_FILES[split]}"
    with huggingface_hub.HfFileSystem().open(name, block_size=CHUNK_BYTES) as stream:
        yield from text_chunks(stream, Format("txt", ""), name, stream.tell)
