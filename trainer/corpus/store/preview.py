"""Preview how a file of stories is read, before a store is built: `corpus inspect FILE`."""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tqdm import tqdm

from trainer.corpus.read.chunks import Chunk
from trainer.corpus.read.files import find_files, shown
from trainer.corpus.read.hub import data_set
from trainer.corpus.read.readers import FROM_THE_DISK, Reading, read_files
from trainer.corpus.read.sources import SAMPLE, open_source
from trainer.corpus.read.text_streams import LOOK, MARKS, decoded
from trainer.corpus.store.cleaning import RULES, Cleaner, Dropped, Rule
from trainer.corpus.tokenizer.tokenizer import gpt2, read_tokenizer
from trainer.settings.corpus import Corpus

LOOKED_AT = 20_000  # stories of a file
STORIES = 3  # that are shown
SHOWN = 240  # characters of each
FEW = 100  # stories: too few to learn from


@dataclass(frozen=True)
class FilePreview:
    """The preview of one file, which `corpus inspect` prints.

    Attributes:
        split: train or validation, where the files have such parts.
        details: detected properties, (name, value) each.
        stories: the first, at most LOOKED_AT.
        more: whether the file has others.
        kept: the stories that the rules keep, cleaned.
        changed, dropped: how many stories each rule changes and drops, by its name.
    """

    file: str
    split: str
    details: list[tuple[str, str]]
    stories: list[str]
    more: bool
    kept: list[str]
    changed: Counter[str]
    dropped: Counter[str]

    def lines(self) -> Iterator[str]:
        """Yield the lines for a terminal."""
        yield f"{self.file}:"
        for name, value in (("split", self.split), *self.details):
            if value:
                yield f"  {name}: {value}"
        few = "the first " if self.more else ""
        yield f"  {few}{len(self.stories):,} stories, {sizes(self.stories)}"
        kept = f"{len(self.kept):,}"
        yield f"  these settings keep {kept}, before lengths and duplicates are looked at"
        for word, counts in (("changed", self.changed), ("dropped", self.dropped)):
            for rule, count in by_rule(counts):
                yield f"  {count:,} {word} by `{rule.name}`: {rule.meaning}"
        for story in self.shown():
            yield textwrap.indent(textwrap.fill(story, 96), "  | ")
            yield ""

    def shown(self) -> list[str]:
        """Return the first stories, shortened."""
        return [
            textwrap.shorten(" ".join(story.split()), SHOWN) for story in self.stories[:STORIES]
        ]

    def to_json(self) -> dict[str, Any]:
        """Return plain values for programs."""
        lengths = sorted(map(len, self.stories)) or [0]
        return {
            "file": self.file,
            "split": self.split,
            "details": [list(pair) for pair in self.details if pair[1]],
            "stories": len(self.stories),
            "more": self.more,
            "characters": {"median": lengths[len(lengths) // 2], "longest": lengths[-1]},
            "kept": len(self.kept),
            "changed": rows(self.changed),
            "dropped": rows(self.dropped),
            "shown": self.shown(),
        }


def previews(settings: Corpus, *, progress: bool = True) -> tuple[list[str], list[FilePreview]]:
    """Return notes on the files that corpus.source names, and the preview of each.

    Raises:
        ValueError: a file cannot be read.
    """
    if settings.source != "sample" and data_set(settings.source):
        return previews_of_hub(settings, progress)
    source = str(SAMPLE) if settings.source == "sample" else settings.source
    named = find_files(source, settings.split)
    files = []
    for split, part in (("train", named.train), ("validation", named.validation)):
        split = split if named.validation else ""
        files += [
            preview_of(reading, split, settings, progress) for reading in read_files(part, settings)
        ]
    return list(named.notes), files


def preview(settings: Corpus, *, progress: bool = True) -> str:
    """Return how the files of corpus.source are read, the effect of the rules, and a few stories,
    for people.

    Raises:
        ValueError: a file cannot be read.
    """
    notes, files = previews(settings, progress=progress)
    parts = ["\n".join(notes)] if notes else []
    return "\n\n".join([*parts, *("\n".join(file.lines()) for file in files)])


def preview_json(settings: Corpus) -> dict[str, Any]:
    """Return the previews for programs, with counts over all files, the number of tokens of the
    stories that are kept, and warnings. `tokens` is None for a tokenizer that is yet to be learned.

    Raises:
        ValueError: a file or the tokenizer cannot be read.
    """
    notes, files = previews(settings, progress=False)
    kept = [story for file in files for story in file.kept]
    tokens = None
    if not settings.tokenizer.startswith("train:"):
        name = settings.tokenizer
        tokenizer = gpt2() if name == "gpt2" else read_tokenizer(name)
        tokens = len(tokenizer.encode(kept)) + len(kept) if kept else 0
    return {
        "source": settings.source,
        "notes": notes,
        "files": [file.to_json() for file in files],
        "stories": sum(len(file.stories) for file in files),
        "more": any(file.more for file in files),
        "kept": len(kept),
        "tokens": tokens,
        "duplicates": len(kept) - len(set(kept)),
        "warnings": list(warnings(files)),
    }


def warnings(files: list[FilePreview]) -> Iterator[str]:
    """Yield warnings for a person who wants to train on the files."""
    stories = sum(len(file.stories) for file in files)
    kept = [story for file in files for story in file.kept]
    dropped = sum((file.dropped for file in files), Counter[str]())
    for rule, count in by_rule(dropped):
        if count > stories / 2:
            warning = (
                f"The rule `{rule.name}` drops {count:,} of {stories:,} stories ({rule.meaning})"
            )
            yield f"{warning}; --corpus.{rule.keep} keeps them." if rule.keep else f"{warning}."
    if not kept:
        yield "No story is left to train on."
        return
    if len(kept) < FEW:
        yield (
            f"Only {len(kept):,} stories: a model from scratch learns little from so few, and an "
            "existing model soon memorises them."
        )
    if (duplicates := len(kept) - len(set(kept))) > len(kept) / 20:
        yield f"{duplicates:,} stories are word for word the same as another: each is used once."


def preview_of(reading: Reading, split: str, settings: Corpus, progress: bool) -> FilePreview:
    """Return the preview of one file."""
    details = [*reading.form.details(), *packed(reading)]
    return look_at(shown(reading.opened.file), split, details, reading.chunks, settings, progress)


def previews_of_hub(settings: Corpus, progress: bool) -> tuple[list[str], list[FilePreview]]:
    """Return notes and previews of a data set on the Hub; only the first stories are fetched."""
    details = [("kind", "data set on the Hub")]
    with open_source(settings) as source:
        train = "train" if source.validation else ""
        files = [look_at(source.name, train, details, source.train(), settings, progress)]
        if source.validation:
            chunks = source.validation()
            files.append(look_at(source.name, "validation", details, chunks, settings, progress))
        return list(source.notes), files


def look_at(
    file: str,
    split: str,
    details: list[tuple[str, str]],
    chunks: Iterable[Chunk],
    settings: Corpus,
    progress: bool,
) -> FilePreview:
    """Read the first stories and clean them."""
    stories = (story for chunk in chunks for story in chunk.stories())
    looked_at = list(
        tqdm(
            itertools.islice(stories, LOOKED_AT),
            desc="reading",
            unit=" stories",
            leave=False,
            disable=not progress,
        )
    )
    more = next(stories, None) is not None
    cleaner, changed, dropped = Cleaner(settings), Counter[str](), Counter[str]()
    kept = []
    for story in looked_at:
        cleaned = cleaner.clean(story, changed)
        if isinstance(cleaned, Dropped):
            dropped[cleaned.reason] += 1
        else:
            kept.append(cleaned)
    return FilePreview(file, split, details, looked_at, more, kept, changed, dropped)


def packed(reading: Reading) -> Iterator[tuple[str, str]]:
    """Yield the compression, encoding and line ends of a file."""
    form = reading.form
    yield "compression", reading.opened.compression
    if form.kind not in FROM_THE_DISK:
        start = reading.opened.stream.look(LOOK)
        yield "encoding", form.encoding if form.encoding == "utf-8" else ""
        yield "byte order mark", "yes" if start.startswith(tuple(MARKS)) else ""
        text = decoded(start, form.encoding)
        yield "line ends", "Windows" if "\r\n" in text else "CR alone" * bool(form.line_ends)


def sizes(stories: list[str]) -> str:
    """Return the lengths of some stories, for people."""
    if not stories:
        return "nothing to read"
    lengths = sorted(map(len, stories))
    return f"half of {lengths[len(lengths) // 2]:,} characters or more, the longest {lengths[-1]:,}"


def by_rule(counts: Counter[str]) -> Iterator[tuple[Rule, int]]:
    """Yield each rule that counted stories, in the order of the table."""
    for rule in RULES:
        if counts[rule.name]:
            yield rule, counts[rule.name]


def rows(counts: Counter[str]) -> list[dict[str, Any]]:
    """Return each rule that counted stories, as plain values for programs."""
    return [
        {"rule": rule.name, "stories": count, "meaning": rule.meaning}
        for rule, count in by_rule(counts)
    ]
