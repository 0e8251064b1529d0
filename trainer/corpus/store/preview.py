"""How a file of stories is understood, before anything is built from it: `corpus inspect FILE`."""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator

from tqdm import tqdm

from trainer.corpus.read.files import find_files, shown
from trainer.corpus.read.readers import FROM_THE_DISK, Reading, read_files
from trainer.corpus.read.text_streams import LOOK, MARKS, decoded
from trainer.corpus.store.cleaning import RULES, Cleaner, Dropped
from trainer.settings.corpus import Corpus

LOOKED_AT = 20_000  # stories of a file
STORIES = 3  # that are shown
SHOWN = 240  # characters of each


def preview(settings: Corpus, *, progress: bool = True) -> str:
    """Return how the files of corpus.source are read, what the rules make of them, and a few
    stories.

    Raises:
        ValueError: a file cannot be understood or read.
    """
    found = find_files(settings.source, settings.split)
    parts = ["\n".join(found.notes)] if found.notes else []
    for split, files in (("train", found.train), ("validation", found.validation)):
        split = split if found.validation else ""
        readings = read_files(files, settings)
        parts += ["\n".join(about(reading, split, settings, progress)) for reading in readings]
    return "\n\n".join(parts)


def about(reading: Reading, split: str, settings: Corpus, progress: bool) -> Iterator[str]:
    """Yield what there is to say of one file."""
    yield f"{shown(reading.opened.file)}:"
    for name, value in (("split", split), *reading.form.details(), *packed(reading)):
        if value:
            yield f"  {name}: {value}"
    stories = (story for chunk in reading.chunks for story in chunk.stories())
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
    yield f"  {'the first ' if more else ''}{len(looked_at):,} stories, {sizes(looked_at)}"
    yield from what_the_rules_do(looked_at, settings)
    for story in looked_at[:STORIES]:
        words = " ".join(story.split())
        yield textwrap.indent(textwrap.fill(textwrap.shorten(words, SHOWN), 96), "  | ")
        yield ""


def packed(reading: Reading) -> Iterator[tuple[str, str]]:
    """Yield what there is around the text of a file."""
    form = reading.form
    yield "compression", reading.opened.compression
    if form.kind not in FROM_THE_DISK:
        start = reading.opened.stream.look(LOOK)
        yield "encoding", form.encoding if form.encoding == "utf-8" else ""
        yield "byte order mark", "yes" if start.startswith(tuple(MARKS)) else ""
        text = decoded(start, form.encoding)
        yield "line ends", "Windows" if "\r\n" in text else "CR alone" * bool(form.line_ends)


def sizes(stories: list[str]) -> str:
    """Return how long some stories are."""
    if not stories:
        return "nothing to read"
    lengths = sorted(map(len, stories))
    return f"half of {lengths[len(lengths) // 2]:,} characters or more, the longest {lengths[-1]:,}"


def what_the_rules_do(stories: Iterable[str], settings: Corpus) -> Iterator[str]:
    """Yield how many stories these settings keep, and which rules change and drop some."""
    cleaner, changed, dropped = Cleaner(settings), Counter[str](), Counter[str]()
    kept = 0
    for story in stories:
        cleaned = cleaner.clean(story, changed)
        if isinstance(cleaned, Dropped):
            dropped[cleaned.reason] += 1
        else:
            kept += 1
    yield f"  these settings keep {kept:,}, before lengths and duplicates are looked at"
    for word, counts in (("changed", changed), ("dropped", dropped)):
        for rule in RULES:
            if counts[rule.name]:
                yield f"  {counts[rule.name]:,} {word} by `{rule.name}`: {rule.meaning}"
