"""Find the files of stories that a name stands for, and their splits.

    train.jsonl, my-train-00000-of-00003.parquet, train/a.txt       trained on
    valid.jsonl, validation, val, dev                               the validation part
    test.jsonl, eval                                                left out

The words are those of the library `datasets`. A file without such a word in its name and folders is
trained on. A file that the setting itself names is always read.
"""

from __future__ import annotations

import contextlib
import glob
import json
import os
import re
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from trainer.corpus.read.fields import first_few
from trainer.corpus.read.packing import StoryFile, is_archive, members_of, unbroken
from trainer.corpus.read.readers import FROM_THE_DISK, KNOWN_KINDS, kind_by_name

HUB_NAME = re.compile(r"[\w.-]+/[\w.-]+")
# Files that `datasets` and clones of the Hub have beside the stories.
METADATA = re.compile(
    r"(dataset_infos?|dataset_dict|state|.*\.tokenizer)\.json|cache-.*\.arrow|.*\.(lock|md|py)|license",
    re.IGNORECASE,
)
SKIPPED, SHOWN = 5, 3  # names of files in a note
WORDS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val", "dev"),
    "test": ("test", "testing", "eval", "evaluation"),
}
SPLIT_OF_WORD = {word: split for split, words in WORDS.items() for word in words}
BETWEEN_WORDS = re.compile(r"[-._ 0-9]+")


@dataclass
class NamedFiles:
    """The files that a setting names.

    Attributes:
        train: those to train on.
        validation: those of the same source to validate on.
        notes: for people, about the choice, a line each.
    """

    train: list[StoryFile] = field(default_factory=list)
    validation: list[StoryFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def add(self, other: NamedFiles) -> None:
        """Append the files of another name."""
        self.train += other.train
        self.validation += other.validation
        self.notes += other.notes


def find_files(names: str, split: str = "train") -> NamedFiles:
    """Return the files that a setting names: one, or several separated by commas, or patterns, or
    folders.

    `names` as a whole may be an existing file with commas and spaces. The files of a pattern or a
    folder are sorted, and only those of `split` are trained on. Raises ValueError if a name stands
    for no file, or for a file of unknown kind.
    """
    if exists(names):
        return files_of(names, split)
    files = NamedFiles()
    for name in names.split(","):
        files.add(files_of(name, split))
    return files


def local_path(name: str) -> Path:
    """Return the path that a name stands for: `~` is the home folder, and file:// may precede."""
    if name.lower().startswith("file://"):
        name = urllib.request.url2pathname(urllib.parse.urlsplit(name).path)
    return Path(os.path.expanduser(name))  # unlike Path's, it accepts an unknown user


def exists(name: str) -> bool:
    """Return whether a name is that of a file or a folder."""
    with readable(name):
        return local_path(name).exists()


def files_of(name: str, split: str) -> NamedFiles:
    """Return the files that one name stands for."""
    name = name if exists(name) else name.strip()
    path = local_path(name)
    if path.is_dir():
        return files_in(path, split)
    if path.is_file():
        if is_archive(path):
            return files_within(name, [(PurePath(), path)], split)
        kind_by_name(str(path))
        return NamedFiles([StoryFile(path)])
    with readable(name):
        matches = sorted(map(Path, glob.glob(str(path), recursive=True)))
    files = [match for match in matches if match.is_file()]
    if not files:
        hint = ""
        if HUB_NAME.fullmatch(name) and not name.startswith("."):
            hint = ", or a data set on the Hub alone"
        raise ValueError(f"there is no file {name}: give one that exists{hint}")
    for file in files:
        if not is_archive(file):
            kind_by_name(str(file))
    fixed = os.path.dirname(re.split(r"[*?\[]", str(path))[0])
    named = [(PurePath(os.path.relpath(file, fixed or ".")), file) for file in files]
    return files_within(name, named, split)


def files_in(folder: Path, split: str) -> NamedFiles:
    """Return the files of stories in a folder, also one that `datasets.save_to_disk` wrote. Raises
    ValueError if the folder holds no such file."""
    if (folder / "dataset_dict.json").is_file():
        return saved_splits(folder, split)
    if (folder / "state.json").is_file():
        return NamedFiles(saved_files(folder))
    everything = sorted(folder.rglob("*"))
    stores = {file.parent for file in everything if file.name == "store.json"}  # built beside them
    files = [
        (file.relative_to(folder), file)
        for file in everything
        if not file.name.startswith(".")
        and not any(parent in stores or parent.suffix == ".partial" for parent in file.parents)
        and file.is_file()
    ]
    named = files_within(shown(folder), files, split)
    if not named.train:
        raise ValueError(f"{folder} holds no files of stories: it needs {KNOWN_KINDS} files")
    return named


def files_within(where: str, files: Sequence[tuple[PurePath, Path]], split: str) -> NamedFiles:
    """Return the files of stories in a folder, a pattern or an archive, by split."""
    stories: list[tuple[PurePath, StoryFile]] = []
    skipped: list[str] = []
    for name, path in files:
        members = [StoryFile(path)]
        if is_archive(path):
            with unbroken(path):
                members = members_of(path)
        for file in members:
            if METADATA.fullmatch(file.name):
                continue
            try:
                kind = kind_by_name(file.name)
            except ValueError:
                skipped.append(shown(name / file.member))
                continue
            if file.member and kind in FROM_THE_DISK:
                raise ValueError(f"{file} can be read only when it is unpacked: unpack {path}")
            stories.append((name / file.member, file))
    by_splits = by_split(where, stories, split)
    if skipped:
        by_splits.notes.append(f"skipped, of no known kind: {first_few(skipped, SKIPPED)}")
    return by_splits


def split_of(name: PurePath) -> str:
    """Return the split in a file's name, else in its nearest folder's; "" for none."""
    for part in reversed(name.parts):
        for word in BETWEEN_WORDS.split(part.lower()):
            if word in SPLIT_OF_WORD:
                return SPLIT_OF_WORD[word]
    return ""


def by_split(where: str, files: Sequence[tuple[PurePath, StoryFile]], wanted: str) -> NamedFiles:
    """Return the files to train and to validate on. Raises ValueError if the split is missing and
    there are several others.

    Args:
        where: the folder, pattern or archive that holds the files, for messages.
        files: each with its name inside.
        wanted: the setting corpus.split: the split to train on, or `all`.
    """
    splits = {file: split_of(name) for name, file in files}
    names = sorted({split for split in splits.values() if split})
    if not names or wanted == "all":
        return NamedFiles([file for _, file in files])
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
        note = f"{where} has the split {names[0]} alone, which is trained on: {names_of(splits)}"
        return NamedFiles(list(splits), notes=[note])
    validation = [file for file, split in splits.items() if split == "validation"]
    if wanted != "train":
        validation = []
    left = [file for file in splits if file not in {*train, *validation}]
    return NamedFiles(
        train, validation, [split_note(where, *map(names_of, (train, validation, left)))]
    )


def split_note(where: str, train: str, validation: str, left: str) -> str:
    """Return a line that names the files for training, for validation and those left out."""
    note = f"splits of {where}: trained on {train}"
    note += f"; validated on {validation}" if validation else ""
    return note + (f"; left out {left} (--corpus.split all trains on everything)" if left else "")


def saved_splits(folder: Path, split: str) -> NamedFiles:
    """Return the files of a DatasetDict that `datasets.save_to_disk` wrote. Raises ValueError if
    the split is missing and there are several others."""
    names = [str(name) for name in read_saved(folder / "dataset_dict.json", "splits")]
    validation = [name for name in names if split_of(PurePath(name)) == "validation"] or ["test"]
    if split == "validation" and split not in names and validation[0] in names:
        split = validation[0]
    if split not in names and split != "all":
        if len(names) != 1:
            raise ValueError(
                f"{folder} has no split {split}: name the one to train on with --corpus.split"
                f" {' or '.join(names)}"
            )
        split = names[0]
    train = names if split == "all" else [split]
    held_out = [name for name in validation[:1] if name in names and name not in train]
    left = ", ".join(sorted({*names} - {*train, *held_out}))
    note = split_note(shown(folder), ", ".join(train), "".join(held_out), left)
    return NamedFiles(
        [file for name in train for file in saved_files(folder / name)],
        [file for name in held_out for file in saved_files(folder / name)],
        [note],
    )


def saved_files(folder: Path) -> list[StoryFile]:
    """Return the files of a Dataset that `datasets.save_to_disk` wrote."""
    names = read_saved(folder / "state.json", "_data_files")
    return [StoryFile(folder / str(name["filename"])) for name in names]


def read_saved(file: Path, key: str) -> list[Any]:
    """Return a list that `datasets.save_to_disk` wrote."""
    try:
        return list(json.loads(file.read_text(encoding="utf-8"))[key])
    except (OSError, ValueError, LookupError, TypeError):
        raise ValueError(f"{file} is not what datasets wrote: save the data set again") from None


@contextlib.contextmanager
def readable(name: object) -> Iterator[None]:
    """Turn the errors of reading an input into one message."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(
            f"{name} cannot be read ({reason}): check its kind and its permissions"
        ) from None


def shown(name: Any) -> str:
    """Return a name for people and JSON, even if it is not UTF-8 on this disk."""
    return os.fsencode(str(name)).decode(errors="replace")


def names_of(files: Iterable[StoryFile]) -> str:
    """Return the names of the first few files."""
    return first_few([file.name for file in files], SHOWN)
