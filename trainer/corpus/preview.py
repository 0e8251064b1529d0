"""How a file of stories is understood, before anything is built from it: `corpus inspect FILE`."""

from __future__ import annotations

import itertools
import textwrap
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

from trainer.corpus.cleaning import RULES, Cleaner, Dropped
from trainer.corpus.files import chunks_of, find_files, shown, understand
from trainer.corpus.formats import LOOK, TABLES, Format
from trainer.corpus.readers import open_file
from trainer.corpus_config import Corpus

LOOKED_AT = 20_000  # stories of a file
STORIES = 3  # that are shown
SHOWN = 240  # characters of each
SEPARATORS = {
    "mark": "stories parted by <|endoftext|>",
    "line": "a story a line",
    "empty-line": "stories parted by empty lines",
    "file": "one story",
}


def preview(settings: Corpus, *, progress: bool = True) -> str:
    """How the files of corpus.source are read, what the rules make of them, and a few stories.

    Raises:
        ValueError: a file cannot be understood or read.
    """
    return "\n\n".join(
        "\n".join(about(file, settings, progress)) for file in find_files(settings.source)
    )


def about(file: Path, settings: Corpus, progress: bool) -> Iterator[str]:
    """What there is to say of one file."""
    form = understand(file, settings.field, settings.separator)
    yield f"{shown(file)}: {described(file, form)}"
    stories = (story for chunk in chunks_of(file, form) for story in chunk.stories())
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


def described(file: Path, form: Format) -> str:
    """A format in words, with what was found around the text."""
    found = [form.kind if form.kind != "jsonl" else "an object a line"]
    found.append(SEPARATORS[form.separator] if form.kind == "txt" else f"field `{form.field}`")
    if form.kind not in TABLES:
        with open_file(file) as (stream, _):
            start = stream.read(LOOK)
        found += ["a byte order mark"] * start.startswith(b"\xef\xbb\xbf")
        found += ["Windows line ends"] * (b"\r\n" in start)
    return ", ".join(found)


def sizes(stories: list[str]) -> str:
    """How long they are."""
    if not stories:
        return "nothing to read"
    lengths = sorted(map(len, stories))
    return f"half of {lengths[len(lengths) // 2]:,} characters or more, the longest {lengths[-1]:,}"


def what_the_rules_do(stories: Iterable[str], settings: Corpus) -> Iterator[str]:
    """How many stories these settings keep, and which rules change and drop some."""
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
