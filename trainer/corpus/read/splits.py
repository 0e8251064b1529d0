"""Names of splits: which files are trained on, which validate, which are left out.

    train.jsonl, my-train-00000-of-00003.parquet, train/a.txt       trained on
    valid.jsonl, validation, val, dev                               the validation part
    test.jsonl, eval                                                left out

The words are those of the library `datasets`. A file whose name and folders have none of them is
trained on. A file that the setting names itself is read whatever it is called.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath

from trainer.corpus.read.packing import StoryFile

WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT_OF_WORD = {word: split for split, words in WORDS.items() for word in words}
BETWEEN_WORDS = re.compile(r"[-._ 0-9]+")
SHOWN = 3  # names of files in a note


@dataclass
class Found:
    """The files that a setting names.

    Attributes:
        train: those to train on.
        validation: those of the same source that validate.
        notes: what people should know of the choice, a line each.
    """

    train: list[StoryFile] = field(default_factory=list)
    validation: list[StoryFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Found) -> None:
        """Put the files of another name behind these."""
        self.train += other.train
        self.validation += other.validation
        self.notes += other.notes


def split_of(name: PurePath) -> str:
    """Return the split that a file's name says, else that of the nearest folder; "" for none."""
    for part in reversed(name.parts):
        for word in BETWEEN_WORDS.split(part.lower()):
            if word in SPLIT_OF_WORD:
                return SPLIT_OF_WORD[word]
    return ""


def by_split(where: str, files: Sequence[tuple[PurePath, StoryFile]], wanted: str) -> Found:
    """Return the files to train on and those that validate.

    Args:
        where: the folder, pattern or archive that holds the files, for messages.
        files: each with its name inside.
        wanted: the setting corpus.split: the split to train on, or `all`.

    Raises:
        ValueError: there is no such split, and several others.
    """
    splits = {file: split_of(name) for name, file in files}
    names = sorted({split for split in splits.values() if split})
    if not names or wanted == "all":
        return Found([file for _, file in files])
    wanted = SPLIT_OF_WORD.get(wanted, wanted)
    train = [file for file, split in splits.items() if split == wanted]
    if wanted == "train":
        train = [file for file, split in splits.items() if split in ("train", "")]
    if not train and len(names) > 1:
        raise ValueError(
            f"{where} has no split {wanted}: name the one to train on with --corpus.split"
            f" {' or '.join(names)}"
        )
    if not train:
        note = f"{where} has the split {names[0]} alone, which is trained on: {shown(splits)}"
        return Found(list(splits), notes=[note])
    validation = [file for file, split in splits.items() if split == "validation"]
    if wanted != "train":
        validation = []
    left = [file for file in splits if file not in {*train, *validation}]
    return Found(train, validation, [split_note(where, *map(shown, (train, validation, left)))])


def split_note(where: str, train: str, validation: str, left: str) -> str:
    """Return a line that names what is trained on, what validates and what is left out."""
    note = f"splits of {where}: trained on {train}"
    note += f"; validated on {validation}" if validation else ""
    return note + (f"; left out {left} (--corpus.split all trains on everything)" if left else "")


def shown(files: Iterable[StoryFile]) -> str:
    """Return the names of the first few files."""
    names = [file.name for file in files]
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
