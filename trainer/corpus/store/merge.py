"""Join shards to the files of a token store, in order, without duplicates.

The order is that of the source, the validation part first, so the choice of duplicates does not
depend on the number of threads. Memory: 16 bytes per story for the index of duplicates, and one
shard."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from trainer.corpus.store.cleaning import CLOSED_LATER, active_rules, dropped_notes
from trainer.corpus.store.duplicates import Filter
from trainer.corpus.store.encoding import held_out
from trainer.corpus.store.shards import Shard, Tally
from trainer.corpus.store.token_store import FORMAT, SPLITS, fingerprint_of
from trainer.corpus.tokenizer.tokenizer import FILE, Tokenizer
from trainer.settings.corpus import Corpus
from trainer.storage import checksummed_json
from trainer.storage.atomic import sync


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
        """Write the stories of a shard that `keep`, (stories,) bool, marks."""
        ids = shard.ids[np.repeat(keep, shard.lengths)]
        if not len(ids):
            return
        data = ids.astype("<u2").tobytes()
        self.file.write(data)
        self.shards.append(checksum(data))
        self.id_counts += np.bincount(ids, minlength=len(self.id_counts))
        self.stories += int(keep.sum())
        self.tokens += len(ids)
        self.bytes += int(shard.num_bytes[keep].sum())

    def finish(self) -> dict[str, Any]:
        """Close the split and return its entry in store.json."""
        self.file.close()
        counts = self.id_counts.tobytes()
        (self.folder / "id_counts.bin").write_bytes(counts)
        return {
            "stories": self.stories,
            "tokens": self.tokens,
            "bytes": self.bytes,
            "files": {"tokens.bin": self.shards, "id_counts.bin": [checksum(counts)]},
        }


def checksum(data: bytes) -> dict[str, Any]:
    """Return the size and the SHA-256 of some bytes, as in store.json."""
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def join(
    settings: Corpus,
    name: str,
    recipe: dict[str, Any],
    tokenizer: Tokenizer,
    files: dict[str, list[Path]],
    folder: Path,
) -> str:
    """Write the splits of a store and its store.json into `folder`; return its fingerprint. Raises
    ValueError if no story is left to train on.

    Args:
        settings: the section `corpus`.
        name: of the source.
        recipe: everything that decides the content, for the fingerprint.
        tokenizer: of the shards' ids; stored if it is not GPT-2's.
        files: the shards of "validation", if the source has such a part, and of "train".
        folder: of the store; files of signatures are beside it meanwhile.
    """
    tally = Tally()
    splits = {split: Split(folder / split, tokenizer.size) for split in SPLITS}
    duplicates = Filter(settings, tokenizer, tally, folder.parent)
    for part, shards in files.items():
        for file in shards:
            shard = Shard.load(file)
            tally.add(shard.tally)
            everything = np.ones(len(shard.lengths), dtype=bool)
            parts = {part: everything}
            if "validation" not in files:
                out = held_out(shard.loose, settings.validation_share)
                parts = {"validation": out, "train": ~out}
            for split, among in parts.items():
                splits[split].append(shard, duplicates.keep_mask(shard, split, among))
    duplicates.close()
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
        (folder / FILE).write_bytes(tokenizer.content)
    (folder / "store.json").write_bytes(checksummed_json.dumps(info).encode())
    for path in folder.rglob("*"):
        sync(path)
    return fingerprint_of(recipe)


def closed_later(recipe: dict[str, Any]) -> dict[str, Any]:
    """Return the recipe of a store with stories that the first version of `cut_off` dropped."""
    return recipe | {"versions": recipe["versions"] | {"closing": 1}}
