"""Stories in a .txt, separated by <|endoftext|>, empty lines, line ends or another mark.

Of a book of Project Gutenberg the header and the licence are left out. Lines that were wrapped at
some width become paragraphs, a line each. If the text leaves a setting open, an error names the
setting; it is never guessed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial

from trainer.corpus.read.chunks import Chunk, text_chunks
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import OpenFile, stream_of
from trainer.corpus.read.text_streams import LOOK, not_utf_8, plain, start_of, text_of
from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK
from trainer.settings.corpus import Corpus

ONE_STORY = 20_000  # bytes; a longer text without marks is more than one story
SEPARATING = 3  # times that a separating line must occur
SEPARATORS = {"mark": END_OF_TEXT_MARK, "line": "\n", "empty-line": "\n\n", "file": ""}
BOOK_START = re.compile(
    rb"^[ \t]*\*\*\* ?START OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    rb"(?:(?!\n[ \t]*\n).){0,400}?\*\*\*[^\n]*\n",
    re.IGNORECASE | re.MULTILINE | re.DOTALL,
)
BOOK_END = re.compile(
    rb"^[ \t]*(?:\*\*\* ?END OF (?:THE|THIS) PROJECT GUTENBERG EBOOK"
    rb"|End of (?:the )?Project Gutenberg'?s? )",
    re.IGNORECASE | re.MULTILINE,
)
HELD = 1024  # bytes in which a mark of a book may be cut off

# A line break is one of wrapping if the next word did not fit. So the lines of a verse, a heading
# or an address stay as they are.
WIDEST = 100  # characters: wider lines were not wrapped for reading
FEWEST = 10  # breaks inside paragraphs that a text must have to be judged
FULL = 0.8  # of the width: a line this long, with the next word, is full
MOST = 0.9  # of the breaks must follow full lines
LONG_WORD = 25  # characters: a longer first word belongs to a language without spaces
ENDED = re.compile(r"""[.!?:;。！？।]["'”’)]*$""")


def read(opened: OpenFile, kind: str, settings: Corpus) -> tuple[Format, Iterator[Chunk]]:
    """Return how a text is read, and its chunks. Raises ValueError if it is long and its separator
    cannot be decided; the message names the setting."""
    form, text = start_of(opened, kind, settings)
    start = plain(text)
    is_book = BOOK_START.search(start.encode(errors="replace")) is not None
    if is_book:
        start = b"".join(body_of_books([start.encode(errors="replace")])).decode(errors="replace")
    separator = settings.separator
    if separator == "auto":
        if END_OF_TEXT_MARK not in text and len(opened.stream.look(LOOK)) >= ONE_STORY:
            raise ValueError(no_separator(str(opened.file), start))
        separator = "mark"
    width = 0 if separator == "line" else wrapped_width(start)
    if settings.unwrap == "on":
        width = width or WIDEST
    elif settings.unwrap == "off":
        width = 0
    form = replace(form, field="", separator=separator, book=is_book, width=width)
    return form, chunks_of(opened, form)


def no_separator(name: str, text: str) -> str:
    """Return the message for a long text without marks; it names a line that seems to separate."""
    lines = Counter(line.strip() for line in text.split("\n"))
    marks = {
        line: count
        for line, count in lines.items()
        if line
        and count >= SEPARATING
        and (line.startswith("<") or not any(map(str.isalnum, line)))
    }
    ways = "--corpus.separator line, empty-line or file (the whole file is one story)"
    if marks:
        mark = max(marks, key=lambda line: marks[line])
        ways = f"--corpus.separator='{mark}', which stands on {marks[mark]:,} lines, or {ways}"
    return (
        f"{name} has no {END_OF_TEXT_MARK} marks between its stories: say how they are separated"
        f" with {ways}"
    )


def chunks_of(opened: OpenFile, form: Format) -> Iterator[Chunk]:
    """Yield a text in chunks."""
    is_own = form.separator not in SEPARATORS
    by_lines = is_own or form.separator == "empty-line"
    plain_ends = bool(by_lines or form.line_ends or form.book or form.width)
    text = text_of(opened, form, plain_ends=plain_ends)
    if form.book:
        text = stream_of(body_of_books(text.pieces()))
    separator = SEPARATORS.get(form.separator, form.separator)
    split: Callable[[str], list[str]] = partial(split_at, separator=separator)
    if is_own and not separator.startswith("<"):  # on its own line
        split = re.compile(rf"^{re.escape(separator)}[ \t]*$", re.MULTILINE).split
        separator = f"\n{separator}\n"
    parse = partial(parse_text, split=split, width=form.width)
    return text_chunks(opened, text, separator.encode(), parse)


def split_at(text: str, separator: str) -> list[str]:
    """Return the parts of a text; the whole text if the separator is empty."""
    return text.split(separator) if separator else [text]


def parse_text(
    content: bytes, name: str, line: int, split: Callable[[str], list[str]], width: int
) -> list[str]:
    """Return the stories of a text that `split` separates, without the line breaks of wrapping."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise not_utf_8(name, line + content.count(b"\n", 0, error.start)) from None
    stories = [story for story in split(text) if story.strip()]
    return [unwrapped(story, width) for story in stories] if width else stories


def body_of_books(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the text between the marks of Project Gutenberg, without header and licence."""
    rest, inside = b"", False
    for piece in pieces:
        rest += piece
        while match := (BOOK_END if inside else BOOK_START).search(rest):
            if inside:
                yield rest[: match.start()]
            rest, inside = rest[match.end() :], not inside
        if inside:
            yield rest[:-HELD]
        rest = rest[-HELD:]
    if inside:
        yield rest


def wrapped_width(text: str) -> int:
    """Return the width at which the lines of a text were wrapped; 0 if they were not."""
    lines = text.split("\n")
    breaks = [
        (line, first_word(after))
        for line, after in zip(lines, lines[1:], strict=False)
        if may_flow(line, after)
    ]
    if len(breaks) < FEWEST:
        return 0
    lengths = sorted(len(line.rstrip()) for line in lines if line.strip())
    width = lengths[int(0.99 * (len(lengths) - 1))]
    ended = sum(ENDED.search(line.rstrip()) is not None for line, _ in breaks)
    if width > WIDEST or ended > len(breaks) / 2:
        return 0
    full = sum(len(word) <= LONG_WORD and is_full(line, word, width) for line, word in breaks)
    return width if full >= MOST * len(breaks) else 0


def unwrapped(text: str, width: int) -> str:
    """Return a text with each paragraph of wrapped lines as one line."""
    lines = text.split("\n")
    joined = lines[:1]
    for line, after in zip(lines, lines[1:], strict=False):
        if may_flow(line, after) and is_full(line, first_word(after), width):
            joined[-1] = f"{joined[-1].rstrip()} {after}"
        else:
            joined.append(after)
    return "\n".join(joined)


def may_flow(line: str, after: str) -> bool:
    """Return whether two lines may belong to one paragraph."""
    return bool(line.strip() and after.strip()) and not after.startswith((" ", "\t"))


def first_word(line: str) -> str:
    """Return the first word of a line; "" if it has none."""
    return next(iter(line.split(None, 1)), "")


def is_full(line: str, word: str, width: int) -> bool:
    """Return whether a word did not fit into a line any more."""
    return len(line.rstrip()) + 1 + len(word) > FULL * width
