"""Stories in JSON: a value per line, or values over several lines, whatever the file is called."""

from __future__ import annotations

import contextlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from trainer.corpus.read.chunks import BYTE_ORDER_MARK, LONGEST, Chunk, text_chunks, value_chunks
from trainer.corpus.read.fields import ROWS_LOOKED_AT, WrongRowError, choose_field, survey, texts_at
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import OpenFile
from trainer.corpus.read.text_streams import (
    LOOK,
    decoded,
    not_utf_8,
    parts_of,
    plain,
    start_of,
    text_of,
)
from trainer.settings.corpus import Corpus

BETWEEN_VALUES = re.compile(r"[\s,]*")
DECODER = json.JSONDecoder(strict=False)  # a line break in a string counts as \\n
LONGEST_VALUE = 2**28  # bytes of a JSON value over several lines


def read(opened: OpenFile, _: str, settings: Corpus) -> tuple[Format, Iterator[Chunk]]:
    """Return how a file of JSON is read, and its chunks. Raises ValueError if the field cannot be
    decided; the message names the setting."""
    form, text = start_of(opened, "jsonl", settings)
    name, start = str(opened.file), plain(text).lstrip()
    values = first_values(start, name)
    if not values:
        start = plain(decoded(opened.stream.look(LOOK + LONGEST), form.encoding)).lstrip()
        values = first_values(start, name)
    is_array = start.startswith("[")
    if is_array or spans_lines(start):
        form = replace(form, kind="json")
    rows = [value for value in values if isinstance(value, dict)]
    if values and isinstance(values[0], str):
        field = ""
    elif rows:
        alone = len(values) == 1 and not is_array
        field = choose_field(name, survey(rows), settings.field, alone=alone)
    else:  # broken JSON is an error later, with its line
        field = settings.field or "text"
    form = replace(form, field=field)
    return form, chunks_of(opened, form)


def spans_lines(start: str) -> bool:
    """Return whether the first JSON object of a text has several lines."""
    if not start.startswith("{"):
        return False
    try:
        end = json.JSONDecoder().raw_decode(start)[1]
    except (ValueError, RecursionError):
        return start.partition("\n")[0].strip() == "{"
    return "\n" in start[:end]


def first_values(start: str, name: str) -> list[Any]:
    """Return the first JSON values of a text, up to an error or the end."""
    values: list[Any] = []
    with contextlib.suppress(ValueError):
        values.extend(itertools.islice(json_values(iter([start]), name), ROWS_LOOKED_AT))
    return values


def chunks_of(opened: OpenFile, form: Format) -> Iterator[Chunk]:
    """Yield a file of JSON in chunks."""
    text = text_of(opened, form, plain_ends=bool(form.line_ends))
    if form.kind == "jsonl":
        return text_chunks(opened, text, b"\n", partial(parse_lines, field=form.field))
    name = str(opened.file)
    return value_chunks(opened, json_values(parts_of(text, name), name), form.field)


def parse_lines(content: bytes, name: str, line: int, field: str) -> list[str]:
    """Return the stories in a field of some JSON lines; lines that are empty or have null there
    are skipped."""
    stories: list[str] = []
    for number, row in enumerate(content.split(b"\n"), start=line):
        if not row.strip():
            continue
        try:
            value = DECODER.decode(row.decode().removeprefix(BYTE_ORDER_MARK))
            if type(value) is dict and type(text := value.get(field)) is str:
                stories.append(text)  # nearly every line: the rest is slower
            else:
                stories += texts_at(value, field)
        except (ValueError, RecursionError) as error:
            wrong = f"has no text in a field `{field}`" if field else "is not a text"
            if isinstance(error, UnicodeDecodeError):
                raise not_utf_8(name, number) from None
            if not isinstance(error, WrongRowError):
                wrong = "is not JSON"
            raise ValueError(f"line {number:,} of {name} {wrong}: mend it or take it out") from None
    return stories


def json_values(text: Iterator[str], name: str) -> Iterator[Any]:
    """Yield the values of JSON arrays, or values that follow each other, in a text that
    comes in parts."""
    rest, start, number, is_array = "", 0, 0, False
    while True:
        start = BETWEEN_VALUES.match(rest, start).end()  # type: ignore[union-attr]
        if rest[start : start + 1] == ("]" if is_array else "["):
            is_array, start = not is_array, start + 1
            continue
        try:
            value, end = DECODER.raw_decode(rest, start)
            # The next part of the text may continue a number or a word at the end of this part.
            if end == len(rest) and not isinstance(value, str | dict | list):
                raise json.JSONDecodeError("a number could continue", rest, end)
        except (ValueError, RecursionError):
            left = len(rest) - start
            longest = LONGEST if is_array else LONGEST_VALUE
            more = as_much_as(text, left) if left <= longest else ""
            if not more and not left and not is_array:
                return
            if not more:
                raise ValueError(
                    f"entry {number + 1:,} of {name} is not JSON: mend it or take it out"
                ) from None
            rest, start = rest[start:] + more, 0
            continue
        yield value
        start, number = end, number + 1


def as_much_as(text: Iterator[str], size: int) -> str:
    """Return the next parts of a text, at least `size` characters. A value that is cut off is
    decoded from its start again, so each retry needs twice as much text."""
    parts: list[str] = []
    while size >= 0 and (part := next(text, "")):
        parts.append(part)
        size -= len(part)
    return "".join(parts)
