"""The stories that a model is evaluated with: read from files, as they stand or cleaned."""

from __future__ import annotations

import dataclasses
import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from trainer.corpus.read.sources import open_source
from trainer.corpus.store.cleaning import Cleaner
from trainer.settings.corpus import Corpus


def source_of(files: str, field: str = "", separator: str = "auto") -> Corpus:
    """Files as a source of stories; a copy of standard input goes to the system's folder for such.

    Args:
        files: files, patterns or folders, separated by commas; - is standard input.
        field: field or column with the stories; empty means the one that can only be meant.
        separator: what separates the stories of a .txt.
    """
    return Corpus(source=files, folder=tempfile.gettempdir(), field=field, separator=separator)


def read_stories(source: Corpus, cleaner: Cleaner | None = None) -> Iterator[str]:
    """The stories of a source as they are to be scored, without those that the cleaner drops.

    Raises:
        ValueError: they cannot be read.
    """
    with open_source(source) as opened:
        chunks = opened.validation or opened.train  # of a source with splits, that to judge with
        stories = (story for chunk in chunks() for story in chunk.stories())
        yield from prepared(stories, opened.name, cleaner)


def prepared(stories: Iterable[str], name: str, cleaner: Cleaner | None) -> Iterator[str]:
    """Stories without the space around them, cleaned if asked for."""
    for number, story in enumerate(stories, start=1):
        if any("\ud800" <= letter <= "\udfff" for letter in story):
            raise ValueError(
                f"story {number:,} of {name} holds half a character (a lone surrogate): mend it or "
                "take it out"
            )
        cleaned = story if cleaner is None else cleaner.clean(story, Counter())
        if isinstance(cleaned, str) and cleaned.strip():
            yield cleaned.strip()


def cleaning_of(folder: Path) -> Corpus:
    """The corpus settings that a model was trained with, from its training.json; a run's is in
    its export.

    Raises:
        ValueError: the folder has no such file, or it names no cleaning.
    """
    if (folder / "export").is_dir():
        folder = folder / "export"
    try:
        kept = json.loads((folder / "training.json").read_text(encoding="utf-8"))
        kept = kept["settings"]["corpus"]
        known = {key.name for key in dataclasses.fields(Corpus)}
        return Corpus(**{key: value for key, value in kept.items() if key in known})
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as problem:
        raise ValueError(
            f"{folder / 'training.json'} names no rules of cleaning: leave out --clean"
        ) from problem
