"""Shards to the files of a token store: in their order, without duplicates.

The order is that of the source, the validation part first, so what is a repetition does not depend
on how the work was divided. Memory: 16 bytes per story for the index of duplicates, and one shard.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import IO, Any

import numpy as np

from trainer.corpus.store.cleaning import CLOSED_LATER, active_rules, dropped_notes
from trainer.corpus.store.encoding import held_out
from trainer.corpus.store.hash_index import HashIndex
from trainer.corpus.store.near_duplicates import NearDuplicates
from trainer.corpus.store.shards import Shard, Tally
from trainer.corpus.store.token_store import FORMAT, SPLITS, fingerprint_of
from trainer.corpus.tokenizer.tokenizer import FILE, Tokenizer
from trainer.settings.corpus import Corpus
from trainer.storage import checksummed_json


class Split:
    """Writes one split of a store."""

    def __init__(self, folder: Path, num_ids: int) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.file = (folder / "tokens.bin").open("wb")
        self.shards: list[dict[str, Any]] = []
        self.id_counts = np.zeros(num_ids, dtype="<i8")
        self.stories = self.tokens = self.bytes = 0

    def append(self, shard: Shard, keep: np.ndarray) -> None:
        """The stories of a shard that `keep`, (stories,) bool, marks."""
        ids = shard.ids[np.repeat(keep, shard.lengths)]
        if not len(ids):
            return
        self.shards.append(write(self.file, ids.astype("<u2").tobytes()))
        self.id_counts += np.bincount(ids, minlength=len(self.id_counts))
        self.stories += int(keep.sum())
        self.tokens += len(ids)
        self.bytes += int(shard.num_bytes[keep].sum())

    def finish(self) -> dict[str, Any]:
        """Onto the disk with it; what store.json says of it."""
        close(self.file)
        with (self.folder / "id_counts.bin").open("wb") as file:
            counts = write(file, self.id_counts.tobytes())
            close(file)
        return {
            "stories": self.stories,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "files": {"tokens.bin": self.shards, "id_counts.bin": [counts]},
        }


def write(file: IO[bytes], data: bytes) -> dict[str, Any]:
    """Write some bytes; their number and checksum."""
    file.write(data)
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def close(file: IO[bytes]) -> None:
    """Onto the disk, and close."""
    file.flush()
    os.fsync(file.fileno())
    file.close()


class Filter:
    """Finds duplicates, and what is in the validation part."""

    def __init__(self, settings: Corpus, tokenizer: Tokenizer, tally: Tally, folder: Path) -> None:
        self.settings, self.tokenizer, self.tally = settings, tokenizer, tally
        self.validation = HashIndex()
        self.earlier = {name: HashIndex() for name in SPLITS}
        self.near = (
            {
                name: NearDuplicates(settings.near_duplicates, folder / f"{name}.signatures")
                for name in SPLITS
            }
            if settings.near_duplicates
            else {}
        )

    def new(self, shard: Shard, name: str, among: np.ndarray) -> np.ndarray:
        """Which stories of a shard belong into a split, of those that `among` marks: (stories,)
        bool."""
        keep = among.copy()
        numbers = np.arange(len(keep))
        if name == "train" and self.settings.decontaminate:
            self.drop(shard, "in_validation", keep, self.validation.find(shard.loose) < 0)
        if self.settings.duplicates:
            new = np.zeros(len(keep), dtype=bool)
            new[keep] = self.earlier[name].first(shard.exact[keep], numbers[keep])
            self.drop(shard, "duplicate", keep, new)
        if self.near:
            new = np.zeros(len(keep), dtype=bool)
            new[keep] = self.near[name].new(shard.signatures[keep])
            self.drop(shard, "near_duplicate", keep, new)
        if name == "validation":
            self.validation.first(shard.loose[keep], numbers[keep])
        return keep

    def drop(self, shard: Shard, reason: str, keep: np.ndarray, fine: np.ndarray) -> None:
        """Take out of `keep` what is not `fine`, and count it."""
        ends = np.cumsum(shard.lengths)
        for number in np.flatnonzero(keep & ~fine).tolist():
            start, end = ends[number] - shard.lengths[number], ends[number] - 1
            story = shard.ids[start:end]
            known = self.tally.full(reason)
            self.tally.drop(reason, "" if known else self.tokenizer.decode(story))
        keep &= fine

    def close(self) -> None:
        """Give files back."""
        for near in self.near.values():
            near.close()


def join(
    settings: Corpus,
    name: str,
    recipe: dict[str, Any],
    tokenizer: Tokenizer,
    files: dict[str, list[Path]],
    folder: Path,
) -> str:
    """Write the splits of a store and its store.json into `folder`; return its fingerprint.

    Args:
        settings: the section `corpus`.
        name: of the source.
        recipe: what the fingerprint is of.
        tokenizer: whose ids the shards hold; kept in the store if it is not GPT-2's.
        files: the shards of "validation", if the source has such a part, and of "train".
        folder: where to; signatures of stories are kept beside it meanwhile.

    Raises:
        ValueError: no story is left to train on.
    """
    tally = Tally()
    splits = {split: Split(folder / split, tokenizer.size) for split in SPLITS}
    chosen = Filter(settings, tokenizer, tally, folder.parent)
    for part, shards in files.items():
        for file in shards:
            shard = Shard.load(file)
            tally.add(shard.tally)
            everything = np.ones(len(shard.lengths), dtype=bool)
            if "validation" in files:
                splits[part].append(shard, chosen.new(shard, part, everything))
                continue
            apart = held_out(shard.loose, settings.validation_share)
            splits["validation"].append(shard, chosen.new(shard, "validation", apart))
            splits["train"].append(shard, chosen.new(shard, "train", ~apart))
    chosen.close()
    described = {split: writer.finish() for split, writer in splits.items()}
    if not described["train"]["stories"]:
        dropped = ", ".join(
            f"{count:,} {reason}" for reason, count in sorted(tally.dropped.items())
        )
        notes = dropped_notes(tally.dropped, tally.stories)
        keeping = [word.partition("; ")[2] for word in notes if "; " in word]
        raise ValueError(
            f"no story of {name} is left to train on: {tally.stories:,} were read, dropped were"
            f" {dropped or 'none'}; give more stories or fewer rules"
            + (f" ({', '.join(keeping)})" if keeping else "")
        )
    if tally.changed[CLOSED_LATER]:
        recipe = closed_later(recipe)
    changing, dropping = active_rules(settings)
    info = {
        "format": FORMAT,
        "name": name,
        "fingerprint": fingerprint_of(recipe),
        "recipe": recipe,
        "read": {"stories": tally.stories, "bytes": tally.bytes},
        "changed": {rule: tally.changed[rule] for rule in changing},
        "dropped": {rule: tally.dropped[rule] for rule in dropping},
        "examples": dict(sorted(tally.examples.items())),
        "splits": described,
    }
    if not tokenizer.is_gpt2:
        with (folder / FILE).open("wb") as stream:
            stream.write(tokenizer.content)
            close(stream)
    with (folder / "store.json").open("wb") as stream:
        stream.write(checksummed_json.dumps(info).encode())
        close(stream)
    return fingerprint_of(recipe)


def closed_later(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of a store with stories that the first version of `cut_off` dropped."""
    return recipe | {"versions": recipe["versions"] | {"closing": 1}}
