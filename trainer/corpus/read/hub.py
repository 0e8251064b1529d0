"""Data sets on the Hub: TinyStories at its commit, any other at its newest or the given one.

    owner/name, hf://owner/name, https://huggingface.co/datasets/owner/name    a data set
    hf://datasets/owner/name/file, https://.../resolve/main/file               one of its files

Data sets are streamed. Without the network, or with HF_HUB_OFFLINE=1, a data set is read from the
Hub's cache, if it is complete there. `datasets` and the Hub are used in this file only.
"""

from __future__ import annotations

import contextlib
import re
import sys
import urllib.parse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from trainer.corpus.read import text
from trainer.corpus.read.chunks import CHUNK_BYTES, ROWS, Chunk
from trainer.corpus.read.fields import WrongRowError, choose_field, survey, texts_at
from trainer.corpus.read.files import HUB_NAME, exists
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import ARCHIVE, OpenFile, StoryFile, Stream
from trainer.corpus.read.readers import kind_by_name
from trainer.settings.corpus import DEFAULT_REVISION, Corpus

HUB = "roneneldan/TinyStories"
GPT4_FILES = {
    "train": "TinyStoriesV2-GPT4-train.txt",
    "validation": "TinyStoriesV2-GPT4-valid.txt",
}
COMMIT = re.compile("[0-9a-f]{40}")
ADDRESS = re.compile(
    r"(?:https?://(?:www\.)?(?:huggingface\.co|hf\.co)/datasets/|hf://datasets/|hf://)"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:@(?P<at>[^/]+))?"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>[^/]+))?(?:/(?P<file>.+))?/?"
)
SHARD = re.compile(r"(.*)-(\d{5})-of-(\d{5})")
Chunks = Callable[[], Iterator[Chunk]]


class FieldError(ValueError):
    """A data set whose field of stories is ambiguous."""


@dataclass(frozen=True)
class DataSet:
    """A data set on the Hub.

    Attributes:
        name: owner/name, or gpt4.
        revision: a commit, a branch or a tag; "" for that of the settings.
        file: one of its files; "" for all.
    """

    name: str
    revision: str = ""
    file: str = ""


def data_set(name: str) -> DataSet | None:
    """Return the data set on the Hub that a source names, or None if it names files. Raises
    ValueError for any other address."""
    if name in (HUB, "gpt4"):
        return DataSet(name)
    if match := ADDRESS.fullmatch(name):
        file = urllib.parse.unquote((match["file"] or "").partition("?")[0])
        return DataSet(match["name"], match["at"] or match["revision"] or "", file)
    if re.match("(?:https?|hf|s3|gs)://", name):
        raise ValueError(
            f"{name} cannot be read from there: download it and give the file's name, or give a"
            " data set on the Hub as owner/name"
        )
    if not HUB_NAME.fullmatch(name) or name.startswith((".", "~")) or exists(name):
        return None
    try:
        kind_by_name(name)
    except ValueError:
        return None if ARCHIVE.search(name) else DataSet(name)
    return None  # stories/mine.jsonl is a file that is missing


def download(wanted: DataSet, settings: Corpus) -> Path:
    """Return one file of a data set, fetched or from the Hub's cache."""
    import huggingface_hub

    with one_message(wanted.name):
        revision = revision_of(wanted, settings)
        return Path(
            huggingface_hub.hf_hub_download(
                wanted.name, wanted.file, repo_type="dataset", revision=revision or None
            )
        )


def revision_of(wanted: DataSet, settings: Corpus) -> str:
    """Return the revision of the name or of the settings; "" for the newest: the default is for
    TinyStories only."""
    if wanted.revision:
        return wanted.revision
    return "" if settings.revision == DEFAULT_REVISION else settings.revision


def hub_parts(wanted: DataSet, settings: Corpus) -> tuple[str, list[str], Chunks, Chunks | None]:
    """Return the name for people, the identity, the training part and the validation part of a data
    set: TinyStories at its commit, others at the newest or the given commit."""
    if wanted.name in (HUB, "gpt4"):
        revision = revision_of(wanted, settings) or DEFAULT_REVISION
        title = HUB if wanted.name == HUB else f"{HUB} (GPT-4 version)"
        train, validation = (
            hub_reader(wanted.name, settings, split, revision) for split in ("train", "validation")
        )
        return title, [wanted.name, revision], train, validation
    revision = revision_of(wanted, settings)
    if not COMMIT.fullmatch(revision):
        with one_message(wanted.name):
            revision, _ = locate(wanted.name, revision)
    identity = [wanted.name, revision, settings.split, settings.field]
    return wanted.name, identity, hub_reader(wanted.name, settings, settings.split, revision), None


def hub_reader(source: str, settings: Corpus, split: str, revision: str) -> Chunks:
    """Return a function that reads one split from the Hub, or from its cache."""
    name = HUB if source == "gpt4" else source

    def stream(cached: str) -> Iterator[Chunk]:
        with one_message(name):
            if source == "gpt4":
                yield from gpt4_chunks(revision, split, cached)
            else:
                yield from dataset_chunks(name, revision, split, settings.field, cached)

    def read() -> Iterator[Chunk]:
        with one_message(name):
            _, cached = locate(name, revision, GPT4_FILES[split] if source == "gpt4" else "")
        return stream(cached)

    return read


@contextlib.contextmanager
def one_message(name: str) -> Iterator[None]:
    """Turn the Hub's errors into one message with the remedy."""
    try:
        yield
    except FieldError:
        raise
    except Exception as error:  # every layer of the network has its own errors
        raise ValueError(
            f"the Hub's {name} cannot be read ({type(error).__name__}): give your own stories with"
            " --corpus.source FILE, or take the bundled ones with --corpus.source sample"
        ) from None


def locate(name: str, revision: str, file: str = "") -> tuple[str, str]:
    """Return the commit of a data set, or of its branch `revision`, and "" if the Hub answers; else
    the commit in its cache on this machine, and the path of the data set or the file there.

    This request fails at once; reading would retry for half a minute. Raises Exception if neither
    the Hub nor the cache has it.
    """
    import huggingface_hub
    from huggingface_hub.utils import logging

    logging.set_verbosity_error()  # no warning at each retry
    try:
        api = huggingface_hub.HfApi()
        return str(api.dataset_info(name, revision=revision or None, timeout=10).sha), ""
    except Exception as error:
        try:
            if file:
                path = huggingface_hub.hf_hub_download(
                    name, file, repo_type="dataset", revision=revision, local_files_only=True
                )
                return revision, str(path)
            folder = whole_snapshot(name, revision)
            return folder.name, str(folder)
        except Exception:
            raise error from None


def whole_snapshot(name: str, revision: str) -> Path:
    """Return the folder of a data set in the Hub's cache. Raises Exception if it is not there, or
    only some of its files are."""
    import huggingface_hub

    folder = Path(
        huggingface_hub.snapshot_download(
            name, repo_type="dataset", revision=revision or None, local_files_only=True
        )
    )
    shards = [match for file in folder.rglob("*") if (match := SHARD.match(str(file)))]
    for series in {(match[1], match[3]) for match in shards}:
        if len({match[2] for match in shards if (match[1], match[3]) == series}) < int(series[1]):
            raise FileNotFoundError(f"{series[0]} is incomplete")
    return folder


def dataset_chunks(
    name: str, revision: str, split: str, field: str, cached: str
) -> Iterator[Chunk]:
    """Yield a split of a data set, streamed from the Hub or from the folder `cached`."""
    import datasets

    datasets.utils.logging.set_verbosity_error()
    # Within each of these huggingface_hub retries six times; 20 would take ten silent minutes.
    datasets.config.STREAMING_OPEN_MAX_RETRIES = datasets.config.STREAMING_READ_MAX_RETRIES = 2
    where = {"path": cached} if cached else {"path": name, "revision": revision}
    table = datasets.load_dataset(**where, split=split, streaming=True)
    path = ""
    for columns in table.iter(ROWS):
        rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        try:
            if not path:
                path = choose_field(name, survey(rows), field)
                tqdm.write(f"reading {name}: field `{path}`", file=sys.stderr)
            stories = [story for row in rows for story in texts_at(row, path)]
        except WrongRowError:
            raise FieldError(f"a row of {name} has no text in a field `{path}`") from None
        except ValueError as error:
            raise FieldError(str(error)) from None
        yield Chunk(partial(list, stories), sum(map(len, stories)))


def gpt4_chunks(revision: str, split: str, cached: str) -> Iterator[Chunk]:
    """Yield a split of the second version, streamed from the Hub or from the file `cached`."""
    import huggingface_hub

    name = f"datasets/{HUB}@{revision}/{GPT4_FILES[split]}"
    with contextlib.ExitStack() as stack:
        if cached:
            file: Any = stack.enter_context(Path(cached).open("rb"))
        else:
            files = huggingface_hub.HfFileSystem()
            file = stack.enter_context(files.open(name, block_size=CHUNK_BYTES))
        opened = OpenFile(StoryFile(Path(name)), Stream(file.read), file)
        yield from text.chunks_of(opened, Format("txt", ""))
