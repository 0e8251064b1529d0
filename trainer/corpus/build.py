"""Builds a token store, or finds the one that is there.

The name of a store ends with the start of its fingerprint, which covers the source's bytes (or its
revision on the Hub), the settings of the rules, the version of their code, and the tokenizer file.
So asking for a store that exists opens it, and a change of anything builds another beside it.

A store is written in <name>.partial and renamed when it is whole. One process builds; another that
wants the same store waits for it, and says so.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import os
import re
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from tqdm import tqdm

from trainer.config import Corpus
from trainer.corpus import cleaning
from trainer.corpus.blocks import (
    FORMAT,
    SPLITS,
    TokenStore,
    fingerprint_of,
    open_store,
    seal,
)
from trainer.corpus.encoding import Encoded, Encoder, in_parallel
from trainer.corpus.sources import Piece, Source, open_source
from trainer.corpus.tokenizer import VOCABULARY, digest

NOT_IN_RECIPE = ("source", "validation", "revision", "folder", "workers")


def build_store(settings: Corpus, *, progress: bool = True) -> TokenStore:
    """The store that the settings ask for, built if there is none.

    Args:
        settings: the section `corpus`.
        progress: show a bar and say what happens, on stderr.

    Raises:
        ValueError: the source cannot be read, holds no story, or the folder cannot be written; one
            sentence.
    """
    source = open_source(settings)
    recipe = recipe_of(settings, source)
    fingerprint = fingerprint_of(recipe)
    short = re.sub(r"[^A-Za-z0-9]+", "-", source.name).strip("-").lower()[:40] or "stories"
    home = Path(settings.folder)
    folder = home / f"{short}-{fingerprint[:12]}"
    say = print_to_stderr if progress else (lambda sentence: None)
    if (folder / "store.json").is_file():
        return open_store(folder)
    try:
        home.mkdir(parents=True, exist_ok=True)
        with only_one(home / f"{folder.name}.lock", folder, say):
            if not (folder / "store.json").is_file():
                write_store(settings, source, recipe, folder, progress)
    except OSError as error:
        raise ValueError(
            f"the store {folder} cannot be written ({error.strerror or error}): make room there or"
            " give another --corpus.folder"
        ) from None
    return open_store(folder)


def recipe_of(settings: Corpus, source: Source) -> dict[str, Any]:
    """Everything that decides the content of a store."""
    rules = dataclasses.asdict(settings)
    return {
        "source": source.identity,
        "rules": {key: value for key, value in rules.items() if key not in NOT_IN_RECIPE},
        "cleaning": cleaning.VERSION,
        "ftfy": importlib.metadata.version("ftfy") if settings.mojibake else None,
        "tokenizer": digest(),
    }


def print_to_stderr(sentence: str) -> None:
    """Tell people."""
    print(sentence, file=sys.stderr, flush=True)


class only_one:  # noqa: N801
    """Holds a lock file while building; the system frees it when the process ends in any way."""

    def __init__(self, file: Path, folder: Path, say: Callable[[str], None]) -> None:
        self.lock, self.folder, self.say = FileLock(file), folder, say

    def __enter__(self) -> None:
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            self.say(f"another process is building {self.folder}: waiting for it")
            self.lock.acquire()

    def __exit__(self, *_: object) -> None:
        self.lock.release()


class Split:
    """Writes one split."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.file = (folder / "tokens.bin").open("wb")
        self.shards: list[dict[str, Any]] = []
        self.id_counts = np.zeros(VOCABULARY, dtype="<i8")
        self.stories = self.tokens = self.bytes = 0

    def append(self, encoded: Encoded, keep: np.ndarray) -> None:
        """The stories of a piece that `keep`, (stories,) bool, marks."""
        ids = encoded.ids[np.repeat(keep, encoded.lengths)]
        if not len(ids):
            return
        data = ids.tobytes()
        self.file.write(data)
        self.shards.append({"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()})
        self.id_counts += np.bincount(ids, minlength=VOCABULARY)
        self.stories += int(keep.sum())
        self.tokens += len(ids)
        self.bytes += int(encoded.num_bytes[keep].sum())

    def close(self) -> dict[str, Any]:
        """Finish the files; what store.json says of them."""
        flush(self.file)
        self.file.close()
        counts = self.id_counts.tobytes()
        with (self.folder / "id_counts.bin").open("wb") as file:
            file.write(counts)
            flush(file)
        table = [{"bytes": len(counts), "sha256": hashlib.sha256(counts).hexdigest()}]
        return {
            "stories": self.stories,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "files": {"tokens.bin": self.shards, "id_counts.bin": table},
        }


def flush(file: Any) -> None:
    """Onto the disk."""
    file.flush()
    os.fsync(file.fileno())


def write_store(
    settings: Corpus, source: Source, recipe: dict[str, Any], folder: Path, progress: bool
) -> None:
    """Read, clean, encode and write everything; then give it its name."""
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    encoder = Encoder(settings)
    splits = {name: Split(partial / name) for name in SPLITS}
    seen: set[int] = set()
    told: set[int] = set()
    changed: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    read = [0, 0]
    bar = tqdm(unit=" stories", disable=not progress, desc=f"building {folder.name}")
    parts: list[tuple[str, Callable[[], Iterator[Piece]]]] = [("train", source.train)]
    if source.validation:
        parts.insert(0, ("validation", source.validation))
    for part, pieces in parts:
        for encoded in in_parallel(encoder.encode, pieces(), settings.workers):
            read[0] += encoded.read[0]
            read[1] += encoded.read[1]
            changed.update(encoded.changed)
            dropped.update(encoded.dropped)
            for reason, found in encoded.examples.items():
                kept = examples.setdefault(reason, [])
                kept += found[: 3 - len(kept)]
            keep = np.ones(len(encoded.lengths), dtype=bool)
            if settings.duplicates:
                for number, value in enumerate(encoded.exact.tolist()):
                    keep[number] = value not in told
                    told.add(value)
                dropped["duplicate"] += int((~keep).sum())
            if part == "validation":
                seen.update(encoded.loose.tolist())
                splits[part].append(encoded, keep)
            else:
                if source.validation is None:
                    limit = np.uint64(settings.validation_share * 2**64)
                    apart = encoded.loose < limit
                    splits["validation"].append(encoded, keep & apart)
                    keep &= ~apart
                elif settings.decontaminate:
                    clean = np.array([value not in seen for value in encoded.loose.tolist()], bool)
                    dropped["in_validation"] += int((keep & ~clean).sum())
                    keep &= clean
                splits[part].append(encoded, keep)
            bar.update(encoded.read[0])
    bar.close()
    if not splits["train"].stories:
        shutil.rmtree(partial, ignore_errors=True)
        raise ValueError(
            f"no story of {source.name} is left to train on: of {read[0]:,} the rules dropped "
            + (", ".join(f"{count:,} as {reason}" for reason, count in dropped.items()) or "none")
        )
    info = {
        "format": FORMAT,
        "name": source.name,
        "fingerprint": fingerprint_of(recipe),
        "recipe": recipe,
        "read": {"stories": read[0], "bytes": read[1]},
        "changed": dict(changed),
        "dropped": dict(dropped),
        "examples": examples,
        "splits": {name: split.close() for name, split in splits.items()},
    }
    with (partial / "store.json").open("w", encoding="utf-8") as file:
        file.write(seal(info))
        flush(file)
    os.rename(partial, folder)
