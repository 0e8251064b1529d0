"""What was detected in a file, in words: for the console and for `corpus inspect FILE`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from trainer.corpus.read.dialect import DEFAULTS, NONE
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import StoryFile
from trainer.corpus.read.splits import shown

KINDS = {"jsonl": "a JSON value a line", "json": "JSON values"}
SEPARATORS = {
    "mark": "<|endoftext|>",
    "line": "line ends: a story a line",
    "empty-line": "empty lines",
    "file": "nothing: one story",
}
DELIMITERS = {NONE: "none", ",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar"}


def details(form: Format) -> Iterator[tuple[str, str]]:
    """Yield what a form says, each with its name: a line each for `inspect`."""
    yield "kind", KINDS.get(form.kind, form.kind)
    if form.kind == "txt":
        yield "separator", SEPARATORS.get(form.separator, f"`{form.separator}`")
    elif form.field:
        yield "field", f"`{form.field}`"
    if form.kind in DEFAULTS:
        yield "delimiter", DELIMITERS.get(form.delimiter, f"`{form.delimiter}`")
        yield "quotation marks", "around fields" if form.quoted else "part of the stories"
        yield "head line", "yes" if form.head else "none: columns are called 1, 2, ..."
    if form.encoding != "utf-8":
        yield "encoding", form.encoding
    if form.book:
        yield "book", "of Project Gutenberg: header and licence are left out"
    if form.width:
        yield "wrapped lines", "joined (--corpus.unwrap off keeps them)"


def said(files: Sequence[StoryFile], forms: Sequence[Format]) -> list[str]:
    """Return a line for every way in which some of the files are read."""
    groups: dict[Format, list[StoryFile]] = {}
    for file, form in zip(files, forms, strict=True):
        groups.setdefault(form, []).append(file)
    lines = []
    for form, group in groups.items():
        (_, kind), *others = details(form)
        lines.append(f"reading {shown(group)}: {kind}")
        lines[-1] += "".join(f", {name} {value}" for name, value in others)
    return lines
