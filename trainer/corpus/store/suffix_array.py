"""The index of a store, which finds any run of tokens in its training stories.

    <store>/index/index.json      format, the store's fingerprint, the parts; checksums
    <store>/index/suffixes.bin    little-endian uint32, (tokens,): the suffix array of each part
    <store>/index/stories.bin     little-endian int64, (stories,): the first token of each story
    <store>/index/tokenizer.json  the tokenizer of these ids

A suffix array lists the positions of a text sorted by the text that follows, so binary search finds
all places of a run (Manber & Myers 1993). The order here is that of memcmp on the bytes of
tokens.bin: libdivsufsort sorts the positions of all bytes, and positions inside tokens are dropped.
The index takes 4 bytes per token beside the 2 of tokens.bin.

Building needs 10 bytes per token of a part. A part has at most 33.6M tokens and ends with a story,
so a large store has more parts and needs no more memory. `playground.trace` reads the files;
docs/trace.md specifies them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from tqdm import tqdm

from trainer.corpus.store.build import build_lock
from trainer.corpus.store.token_store import TokenStore
from trainer.corpus.tokenizer.tokenizer import FILE
from trainer.storage import checksummed_json
from trainer.storage.atomic import atomic_directory

FORMAT = 2
FOLDER = "index"
PART = 2**25  # tokens
AT_ONCE = 2**20  # positions


def build_index(store: TokenStore, *, part: int = PART) -> Path:
    """Write the index of a store, in place of an older one; return its folder.

    Args:
        store: its training tokens are indexed.
        part: approximate tokens of a part.

    Raises:
        ValueError: pydivsufsort is not installed, or the folder cannot be written. Nothing
            half-written is left.
    """
    folder = store.folder / FOLDER
    try:
        with build_lock(folder), atomic_directory(folder) as partial:
            write(store, partial, part)
    except OSError as error:
        raise ValueError(
            f"the index {folder} cannot be written ({error.strerror or error}): make room there"
        ) from None
    return folder


def write(store: TokenStore, folder: Path, part: int) -> None:
    """Write the files of an index."""
    end, first = store.tokenizer.end_of_text, 0
    sizes: list[int] = []
    starts = [np.zeros(1, dtype="<i8")]
    bar = tqdm(desc="indexing", total=store.num_tokens("train"), unit=" tokens", unit_scale=True)
    with bar, (folder / "suffixes.bin").open("wb") as stream:
        for ids in parts(store.folder / "train" / "tokens.bin", end, part):
            write_suffixes(ids, stream)
            sizes.append(len(ids))
            starts.append(first + 1 + np.flatnonzero(ids == end).astype("<i8"))
            first += len(ids)
            bar.update(len(ids))
            if len(ids) > AT_ONCE:
                gc.collect()  # ctypes leaves the arrays of a part in reference cycles
    np.concatenate(starts)[:-1].tofile(folder / "stories.bin")
    (folder / FILE).write_bytes(store.tokenizer.content)
    info = {
        "format": FORMAT,
        "store": store.fingerprint,
        "end_of_text": end,
        "parts": sizes,
        "files": {file.name: described(file) for file in sorted(folder.iterdir())},
    }
    (folder / "index.json").write_text(checksummed_json.dumps(info), encoding="utf-8")


def described(file: Path) -> dict[str, Any]:
    """Return the size and the SHA-256 of a file."""
    with file.open("rb") as stream:
        return {"bytes": file.stat().st_size, "sha256": checksummed_json.sha256(stream)}


def parts(file: Path, end: int, size: int) -> Iterator[np.ndarray]:
    """Yield the tokens of a file in parts that end with a story, (n,) uint16. A part has at
    most `size` tokens; for a longer story the size is doubled until it fits."""
    first, wanted = 0, size
    while len(ids := np.fromfile(file, "<u2", count=wanted, offset=2 * first)):
        ends = np.flatnonzero(ids == end)
        if len(ends):
            yield ids[: ends[-1] + 1]
            first += int(ends[-1]) + 1
            wanted = size
        else:
            wanted *= 2


def write_suffixes(ids: np.ndarray, stream: BinaryIO) -> None:
    """Write the suffix array of (n,) uint16 ids, as little-endian uint32."""
    from pydivsufsort import divsufsort

    suffixes = divsufsort(ids.view(np.uint8))
    for first in range(0, len(suffixes), AT_ONCE):
        places = suffixes[first : first + AT_ONCE]
        stream.write((places[places % 2 == 0] // 2).astype("<u4").tobytes())


def verify_index(store: TokenStore) -> int:
    """Reread the index of a store, if any, and compare its checksums; return the number of bytes
    read.

    Raises:
        ValueError: the index has changed, or is of another store.
    """
    folder = store.folder / FOLDER
    if not folder.is_dir():
        return 0
    again = f"build it again with python -m trainer.corpus index {store.folder}"
    try:
        info = checksummed_json.loads((folder / "index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise ValueError(f"{folder / 'index.json'} is damaged: {again}") from None
    if info["store"] != store.fingerprint:
        raise ValueError(f"the index {folder} is of another store: {again}")
    for name, about in info["files"].items():
        with contextlib.suppress(OSError), (folder / name).open("rb") as stream:
            if checksummed_json.sha256(stream) == about["sha256"]:
                continue
        raise ValueError(f"{folder / name} is not what was written: {again}")
    return sum(int(about["bytes"]) for about in info["files"].values())
