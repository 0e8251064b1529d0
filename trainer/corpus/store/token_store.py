"""The token store, which training reads memory-mapped.

    <store>/store.json                 contents, source, recipe and checksums
    <store>/train/tokens.bin           little-endian uint16 token ids; each story ends with
                                       <|endoftext|>, which is 50256 in GPT-2's
    <store>/train/id_counts.bin        little-endian int64: how often each id occurs
    <store>/validation/...             the same for the held-out stories
    <store>/tokenizer.json             the tokenizer of the ids; absent for GPT-2's

A store is written under another name and renamed when it is complete (build.py). Opening it checks
the format, the sizes of files, the checksum of store.json, and that fingerprint and tokenizer match
the recipe; `TokenStore.verify` rereads every byte.

Needs NumPy and the standard library only: a GPU machine can train from a copied store.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from trainer.corpus.tokenizer.tokenizer import FILE, Tokenizer, gpt2
from trainer.storage import checksummed_json

FORMAT = 1
SPLITS = ("train", "validation")
READ_AT_ONCE = 8 * 2**20  # bytes


def fingerprint_of(recipe: dict[str, Any]) -> str:
    """Return the SHA-256, in hexadecimal, of everything that decides a store's content."""
    text = json.dumps(recipe, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def find_store(home: Path, fingerprint: str) -> TokenStore | None:
    """Return the store with that fingerprint among those in a folder, or None."""
    for info in sorted(home.glob(f"*-{fingerprint[:12]}/store.json")):
        with contextlib.suppress(ValueError):
            store = open_store(info.parent)
            if store.fingerprint == fingerprint:
                return store
    return None


def recipe_differences(before: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """Yield the differences between two recipes, a few words each."""
    for part, kind in (("versions", "made with"), ("rules", "cleaned with")):
        for key in sorted(before[part].keys() | now[part].keys()):
            old, new = before[part].get(key), now[part].get(key)
            if old != new:
                yield f"{kind} {key} {old}, now {new}"
    for part, words in (("source", "other files"), ("tokenizer", "another tokenizer")):
        if before[part] != now[part]:
            yield words


class TokenStore:
    """An open store.

    Attributes:
        folder: where it is.
        info: the content of store.json.
        tokenizer: of its ids.
    """

    def __init__(self, folder: Path, info: dict[str, Any], tokenizer: Tokenizer) -> None:
        self.folder = folder
        self.info = info
        self.tokenizer = tokenizer

    @property
    def fingerprint(self) -> str:
        """64 hexadecimal digits; stores with equal fingerprints have equal bytes."""
        return str(self.info["fingerprint"])

    @property
    def recipe(self) -> dict[str, Any]:
        """Everything that decides its content: source, rules, versions of code and libraries,
        tokenizer."""
        recipe: dict[str, Any] = self.info["recipe"]
        return recipe

    def split(self, name: str) -> np.ndarray:
        """Return the token ids of "train" or "validation": (tokens,) uint16, a read-only memory
        map."""
        file = self.folder / name / "tokens.bin"
        if not self.num_tokens(name):  # an empty file cannot be mapped
            return np.empty(0, dtype="<u2")
        return np.memmap(file, dtype="<u2", mode="r")

    def num_tokens(self, name: str) -> int:
        """Return the number of token ids in a split, with the ends of stories."""
        return int(self.info["splits"][name]["tokens"])

    def num_bytes(self, name: str) -> int:
        """Return the number of UTF-8 bytes of a split's stories."""
        return int(self.info["splits"][name]["bytes"])

    def bytes_per_token(self, name: str) -> float:
        """Return the UTF-8 bytes per token of a split; 0 if it is empty."""
        return self.num_bytes(name) / max(1, self.num_tokens(name))

    def num_stories(self, name: str) -> int:
        """Return the number of stories in a split."""
        return int(self.info["splits"][name]["stories"])

    def num_blocks(self, name: str, context: int) -> int:
        """Return the number of complete blocks in a split: see `gather`."""
        return max(0, (self.num_tokens(name) - 1) // context)

    def id_counts(self, name: str) -> np.ndarray:
        """Return how often each id occurs in a split: (ids,) int64."""
        return np.fromfile(self.folder / name / "id_counts.bin", dtype="<i8")

    def summary(self, name: str) -> dict[str, Any]:
        """Return name, fingerprint, tokenizer, stories, tokens and bytes of a split, for
        training.json."""
        return {
            "name": self.info["name"],
            "fingerprint": self.fingerprint,
            "tokenizer": self.tokenizer.name,
            "stories": self.num_stories(name),
            "tokens": self.num_tokens(name),
            "bytes": self.num_bytes(name),
        }

    def stories(self, name: str, limit: int = 0) -> Iterator[str]:
        """Yield the first `limit` stories of a split as text; 0 means all."""
        ids, start, count, last = self.split(name), 0, 0, self.tokenizer.end_of_text
        for first in range(0, len(ids), READ_AT_ONCE):
            ends = first + np.flatnonzero(ids[first : first + READ_AT_ONCE] == last)
            for end in ends.tolist():
                yield self.tokenizer.decode(ids[start:end])
                start, count = end + 1, count + 1
                if count == limit:
                    return

    def verify(self) -> int:
        """Reread every shard, compare its checksum, and return the number of bytes read. Raises
        ValueError naming a shard or a count that has changed."""
        read = 0
        for name in SPLITS:
            for file, table in self.info["splits"][name]["files"].items():
                path = self.folder / name / file
                with path.open("rb") as stream:
                    for number, shard in enumerate(table):
                        if checksummed_json.sha256(stream, shard["bytes"]) != shard["sha256"]:
                            raise ValueError(
                                f"shard {number} of {path} is not what was written: "
                                f"delete {self.folder} and build it again"
                            )
                        read += shard["bytes"]
        return read


def open_store(folder: Path | str) -> TokenStore:
    """Open a finished store. Raises ValueError if the folder is not a store, or is damaged, or
    has another format."""
    folder = Path(folder)
    file = folder / "store.json"
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        raise ValueError(
            f"{folder} is not a token store (it has no readable store.json): build one with "
            "python -m trainer.corpus build"
        ) from None
    again = f"delete {folder} and build it again"
    try:
        info = checksummed_json.loads(text)
    except ValueError:
        raise ValueError(f"{file} is damaged: {again}") from None
    if info.get("format") != FORMAT:
        raise ValueError(f"{file} has format {info.get('format')}, not {FORMAT}: {again}")
    if info["fingerprint"] != fingerprint_of(info["recipe"]):
        raise ValueError(f"the fingerprint in {file} is not that of its recipe: {again}")
    for name in SPLITS:
        for part, table in info["splits"][name]["files"].items():
            path, wanted = folder / name / part, sum(shard["bytes"] for shard in table)
            size = path.stat().st_size if path.is_file() else -1
            if size != wanted:
                raise ValueError(
                    f"{path} is missing: {again}"
                    if size < 0
                    else f"{path} has {size:,} bytes where {wanted:,} were written: {again}"
                )
    return TokenStore(folder, info, tokenizer_of(folder, info["recipe"]["tokenizer"]))


def tokenizer_of(folder: Path, digest: str) -> Tokenizer:
    """Return the tokenizer of a store, which its recipe names by a checksum. Raises ValueError if
    it is missing."""
    file = folder / FILE
    tokenizer = Tokenizer(file.read_bytes()) if file.is_file() else gpt2()
    if tokenizer.digest != digest:
        raise ValueError(
            f"the token ids in {folder} are of another tokenizer than "
            f"{file if file.is_file() else 'GPT-2, and it has no ' + FILE}: delete {folder} and "
            "build it again"
        )
    return tokenizer


def gather(tokens: np.ndarray, starts: Sequence[int] | np.ndarray, context: int) -> np.ndarray:
    """Return the ids of the blocks that begin at some tokens: (len(starts), context + 1) int32.

    A block has `context` inputs and their targets, one to the right. The last target is the next
    block's first input, so every id of the split but the first is predicted exactly once per epoch;
    adjacent blocks of context + 1 ids would never predict the first id of each. A block that
    reaches the end of the split continues at its start.
    """
    blocks = np.empty((len(starts), context + 1), dtype=np.int32)
    for row, start in enumerate(starts):
        block = tokens[start : start + context + 1]
        blocks[row, : len(block)] = block
        if len(block) <= context:
            blocks[row, len(block) :] = tokens[: context + 1 - len(block)]
    return blocks
