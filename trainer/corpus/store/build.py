"""Build a token store, or open it if it exists.

The name of a store ends with the start of its fingerprint, which covers the source's bytes (or its
commit on the Hub), the settings of the rules, the versions of their code, and the tokenizer file.
So the same settings and stories open an existing store, and any change builds a new one.

Building has two stages, in the folder <name>.partial. The chunks of the source become shards, in
parallel; this is nearly all of the work, and a build that was killed resumes after its last shard.
Then the shards are joined in order, without duplicates; this takes seconds and is never resumed.
At the end the store is renamed.

One process builds; others that need the same store wait for it, with a message.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib.metadata
import os
import re
import shutil
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tqdm import tqdm

from trainer.corpus.read import chunks
from trainer.corpus.read.chunks import Chunk
from trainer.corpus.read.sources import Source, open_source
from trainer.corpus.store import cleaning, learn_tokenizer
from trainer.corpus.store.cleaning import dropped_notes
from trainer.corpus.store.encoding import Encoder
from trainer.corpus.store.merge import closed_later, join
from trainer.corpus.store.shards import is_whole
from trainer.corpus.store.token_store import FORMAT, TokenStore, fingerprint_of, open_store
from trainer.corpus.tokenizer.tokenizer import FILE, Tokenizer, gpt2, read_tokenizer
from trainer.output.console import say_once, to_stderr
from trainer.settings.corpus import Corpus
from trainer.storage.atomic import atomic_file
from trainer.storage.lock import Lock

# Covered by the source's identity and the tokenizer's checksum.
COVERED_BY_SOURCE = (
    "source", "validation", "revision", "split", "field", "separator", "delimiter", "encoding",
    "unwrap", "tokenizer",
)  # fmt: skip
# Settings that are newer than the first version, with the values that it implied.
DEFAULTS_BEFORE = {"control": True, "long_stories": "drop"}
NOT_FINGERPRINTED = ("folder", "workers")


def build_store(settings: Corpus) -> TokenStore:
    """Return the store for some settings; build it if it does not exist. Raises ValueError if the
    source cannot be read or has no story, or the folder cannot be written; nothing half-written
    is left then."""
    home = Path(settings.folder).expanduser()
    try:
        with open_source(settings) as source:
            tokenizer = choose_tokenizer(settings, source, home)
            say_once(source.notes)
            recipe = recipe_of(settings, source) | {"tokenizer": tokenizer.digest}
            name = home / short_name(source.name)
            folder = named(name, fingerprint_of(recipe))
            later = named(name, fingerprint_of(closed_later(recipe)))
            partial = folder.with_name(f"{folder.name}.partial")
            if not (folder.is_dir() or later.is_dir()) or partial.is_dir():
                home.mkdir(parents=True, exist_ok=True)
                with build_lock(folder):
                    if not (folder.is_dir() or later.is_dir()):
                        written = write(settings, source, recipe, tokenizer, partial)
                        os.rename(partial / "store", named(name, written))
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        raise ValueError(
            f"the store in {home} cannot be written ({error.strerror or error}): make room there"
            " or give another --corpus.folder"
        ) from None
    return opened(folder if folder.is_dir() else later)


def opened(folder: Path) -> TokenStore:
    """Open a store and print what its rules dropped."""
    store = open_store(folder)
    say_once(dropped_notes(store.info["dropped"], store.info["read"]["stories"]))
    return store


def named(name: Path, fingerprint: str) -> Path:
    """Return the folder of a store."""
    return name.with_name(f"{name.name}-{fingerprint[:12]}")


def given_store(settings: Corpus) -> TokenStore:
    """Open the store that corpus.source names. Raises ValueError if it cannot be opened, or
    corpus.tokenizer names another tokenizer."""
    store = opened(Path(settings.source))
    wanted, tokenizer = settings.tokenizer, store.tokenizer
    size = wanted.removeprefix("train:")
    fits = (
        not tokenizer.is_gpt2 and tokenizer.size <= int(size)  # it may have learned fewer
        if size != wanted
        else (tokenizer.digest == (gpt2() if wanted == "gpt2" else read_tokenizer(wanted)).digest)
    )
    if not fits:
        way = "gpt2" if tokenizer.is_gpt2 else str(store.folder / FILE)
        raise ValueError(
            f"the store {store.folder} has another tokenizer ({tokenizer.name}) than "
            f"corpus.tokenizer {wanted}: give --corpus.tokenizer {way}, or the stories themselves"
        )
    return store


def short_name(name: str) -> str:
    """Return a name that can be part of a folder's name."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower())[:40].strip("-") or "stories"


def recipe_of(settings: Corpus, source: Source) -> dict[str, Any]:
    """Return everything that decides a store's content, without the tokenizer."""
    rules = dataclasses.asdict(settings)
    for key in (*COVERED_BY_SOURCE, *NOT_FINGERPRINTED):
        del rules[key]
    for key, before in DEFAULTS_BEFORE.items():
        if rules[key] == before:
            del rules[key]
    if source.validation is not None:
        del rules["validation_share"]
    versions: dict[str, int | str] = {
        "format": FORMAT,
        "cleaning": cleaning.VERSION,
        "reading": chunks.VERSION,
    }
    if not (settings.typography and settings.markup):
        versions["line_ends"] = 1  # older versions left this to these two rules
    libraries = {"ftfy": settings.mojibake, "datasketch": settings.near_duplicates > 0}
    try:
        for name, used in libraries.items():
            if used:
                versions[name] = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        raise ValueError(
            f"building a store needs {name}: install the trainer (make train, or pip install -e"
            ' ".[train]"), or give a finished store with --corpus.source FOLDER'
        ) from None
    return {
        "source": source.identity,
        "rules": rules,
        "versions": versions,
    }


def choose_tokenizer(settings: Corpus, source: Source, home: Path) -> Tokenizer:
    """Return the tokenizer for some settings. A learned tokenizer is stored in `home`, beside the
    stores, with a fingerprint in its name; a message says if it has fewer ids than requested.
    Raises ValueError if there is no such file."""
    if settings.tokenizer == "gpt2":
        return gpt2()
    size = settings.tokenizer.removeprefix("train:")
    if size == settings.tokenizer:
        return read_tokenizer(settings.tokenizer)
    recipe = recipe_of(settings, source)
    recipe["learned"] = {
        "size": int(size),
        "version": learn_tokenizer.VERSION,
        "tokenizers": importlib.metadata.version("tokenizers"),
    }
    name = f"{short_name(source.name)}-{fingerprint_of(recipe)[:12]}.tokenizer.json"
    file = home / name
    if not file.is_file():
        home.mkdir(parents=True, exist_ok=True)
        with build_lock(file):
            if not file.is_file():
                learned = learn_tokenizer.learn(settings, source, int(size))
                with atomic_file(file) as partial:
                    partial.write_bytes(learned.content)
    tokenizer = read_tokenizer(str(file))
    if tokenizer.size < int(size):
        say_once([f"the vocabulary has {tokenizer.size:,} ids: {source.name} gives no more"])
    return tokenizer


@contextlib.contextmanager
def build_lock(result: Path) -> Iterator[None]:
    """Hold the lock of the process that makes `result`, against others that need it; the system
    frees the lock however the process ends."""
    lock = Lock(result.with_name(f".{result.name}.lock"))
    if not lock.acquire(timeout=0):
        to_stderr(
            f"another process{lock.holder()} builds {result}: waiting for it; if its machine died, "
            f"stop this and delete {lock.file}"
        )
        lock.acquire()
    try:
        yield
    finally:
        if result.exists():  # after a failure a waiting process takes the lock
            lock.file.unlink(missing_ok=True)
        lock.release()


def write(
    settings: Corpus,
    source: Source,
    recipe: dict[str, Any],
    tokenizer: Tokenizer,
    partial: Path,
) -> str:
    """Write shards to partial/shards and the store to partial/store; return its fingerprint."""
    try:
        for name in ("shards", "store"):
            (partial / name).mkdir(parents=True, exist_ok=True)
        files = encode(settings, source, tokenizer, partial / "shards")
        return join(settings, source.name, recipe, tokenizer, files, partial / "store")
    except (ValueError, OSError):
        shutil.rmtree(partial, ignore_errors=True)
        raise


def encode(
    settings: Corpus, source: Source, tokenizer: Tokenizer, folder: Path
) -> dict[str, list[Path]]:
    """Write every chunk as a shard; return the files of each part, validation first."""
    encoder = Encoder(settings, tokenizer)

    def work(chunk: Chunk, file: Path) -> int:
        shard = encoder.encode(chunk)
        shard.save(file)
        return shard.tally.stories

    # Opened before the progress bar, so that an error message is not mixed with it.
    readers = {"validation": source.validation, "train": source.train}
    parts = {name: chunks() for name, chunks in readers.items() if chunks}
    files: dict[str, list[Path]] = {name: [] for name in parts}
    workers = settings.workers or os.cpu_count() or 1
    waiting: deque[tuple[Future[int], int]] = deque()
    with (
        tqdm(
            desc="building the corpus",
            total=source.size or None,
            unit="B",
            unit_scale=True,
        ) as bar,
        ThreadPoolExecutor(workers) as pool,
    ):
        stories = 0

        def finish() -> None:
            nonlocal stories
            future, size = waiting.popleft()
            stories += future.result()
            rate = stories / max(1e-3, bar.format_dict["elapsed"])
            bar.set_postfix_str(f"{rate:,.0f} stories/s", refresh=False)
            bar.update(size)

        try:
            for name, chunks in parts.items():
                for number, chunk in enumerate(chunks):
                    file = folder / f"{name}-{number:06}.npz"
                    files[name].append(file)
                    if is_whole(file):
                        bar.update(chunk.size)
                        continue
                    waiting.append((pool.submit(work, chunk, file), chunk.size))
                    if len(waiting) > workers + 1:
                        finish()
            while waiting:
                finish()
        finally:
            pool.shutdown(cancel_futures=True)
    return files
