"""Finds the parts of a story that stand in the training stories, in the terminal.

    python -m playground.trace --index data/sample-0123456789ab "Once upon a time there was a fox."
    python -m playground.trace --index models/storyteller --link LINK
    python -m playground.trace --index data/sample-0123456789ab --json < story.txt

`--index` is a store with an index (python -m trainer.corpus index STORE), or a model with a filter,
which does not know the sources.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from playground.command_line import Parser, run_command, typed_text
from playground.folder.tokenizer_fingerprint import tokenizer_fingerprint
from playground.stories import permalink
from playground.trace.copied import Run, Source, Trace

SOURCES_MAX = 50
CONTEXT = 60  # characters shown on each side of a run
UNDERLINED, BRACKETS = ("\x1b[4m", "\x1b[24m"), ("[", "]")


def parser() -> Parser:
    """Return the parser of the command line."""
    parser = Parser(
        prog="python -m playground.trace",
        description="Show which parts of a story are in the training stories word for word.",
    )
    add: Any = parser.add_argument
    add("story", metavar="STORY", nargs="?", help="the story (default: standard input)")
    add(
        "--index",
        metavar="DIR",
        type=Path,
        required=True,
        help="a store with an index, a model with a filter, or a filter's file",
    )
    add("--link", metavar="LINK", help="a shared story in place of STORY")
    add(
        "--sources",
        metavar="N",
        type=int,
        default=3,
        help="training stories shown for each run (default: 3)",
    )
    add("--json", action="store_true", help="print everything as JSON")
    return parser


def run(options: argparse.Namespace) -> None:
    """Trace a story and print the result.

    Raises:
        ValueError: there is no index, or the story cannot be read.
    """
    if not 0 <= options.sources <= SOURCES_MAX:
        raise ValueError(f"--sources must be from 0 to {SOURCES_MAX}, not {options.sources}.")
    if options.link is not None and options.story is not None:
        raise ValueError("give STORY or --link, not both.")
    from playground.trace.find import open_tracer

    tracer = open_tracer(options.index)
    if options.link is not None:
        text = text_of_link(options.link, options.index)
    else:
        text = sys.stdin.read() if options.story is None else typed_text(options.story)
    trace = tracer.trace(text, options.sources)
    if options.json:
        print(json.dumps(trace.described(), ensure_ascii=False))
    else:
        marks = UNDERLINED if sys.stdout.isatty() else BRACKETS
        print("\n".join(lines(trace, *marks)))


def text_of_link(address: str, where: Path) -> str:
    """Return the text of a shared story.

    Raises:
        ValueError: the link is damaged, or its story has another tokenizer than `where`.
    """
    import tokenizers

    link = permalink.decode(permalink.text_of(address))
    folder = where.parent if where.is_file() else where
    for file in (folder / "index" / "tokenizer.json", folder / "tokenizer.json"):
        if file.is_file() and link.has_tokenizer(tokenizer_fingerprint(file)):
            ids = [token_id for token_id, _ in link.tokens]
            return tokenizers.Tokenizer.from_file(str(file)).decode(ids)
    raise ValueError(permalink.other_tokenizer(link))


def lines(trace: Trace, opening: str, closing: str) -> Iterator[str]:
    """Yield the printed lines: the marked story, the share, and each run with its sources."""
    yield "".join(
        f"{opening}{part}{closing}" if is_copied else part
        for part, is_copied in marked(trace.text, trace.runs)
    )
    yield ""
    chance = f" (held-out stories: {trace.held_out:.0%})" if trace.held_out else ""
    yield f"{trace.share:.0%} of {trace.words:,} words stand in {trace.corpus}{chance}."
    if trace.certain is not None:
        yield (
            f"All runs of {trace.certain} words or more are found, and some shorter runs;"
            f" {trace.false_positives:.2%} of other runs are marked by mistake."
        )
    for run in sorted(trace.runs, key=lambda run: run.words, reverse=True):
        where = "" if run.stories is None else f", in {amount(run.stories)}"
        yield ""
        yield f"{run.words} words{where}: {on_one_line(trace.text[run.start : run.end])}"
        for source in run.sources:
            yield f"  story {source.story:,}: {context(source, opening, closing)}"


def marked(text: str, runs: Sequence[Run]) -> Iterator[tuple[str, bool]]:
    """Yield the parts of a text, each with whether it is in a run."""
    inside = [False] * len(text)
    for run in runs:
        inside[run.start : run.end] = [True] * (run.end - run.start)
    for is_copied, part in itertools.groupby(zip(text, inside, strict=True), lambda pair: pair[1]):
        yield "".join(character for character, _ in part), is_copied


def context(source: Source, opening: str, closing: str) -> str:
    """Return a run in the context of its training story, on one line."""
    before, after = source.before[-CONTEXT:], source.after[:CONTEXT]
    first = "…" if len(before) < len(source.before) else ""
    last = "…" if len(after) < len(source.after) else ""
    return on_one_line(f"{first}{before}{opening}{source.text}{closing}{after}{last}")


def on_one_line(text: str) -> str:
    """Return a text with slashes for its line breaks."""
    return text.strip().replace("\n", " / ")


def amount(stories: int) -> str:
    """Return a number of training stories in words."""
    return f"{stories:,} stories" if stories > 1 else "one story"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    return run_command(lambda: run(parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
