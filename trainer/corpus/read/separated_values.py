"""Stories in a table of separated values.

Its delimiter, quoting and head line are detected: the start of the table is split by each
candidate. The delimiter is the candidate that gives the most rows the same number of columns.
Quoting is judged by the fields: a program that quotes closes every quoted field before a delimiter,
and quotes every field that holds a quotation mark. `csv.Sniffer` looks at a few characters'
frequency only, and is wrong for half of the tables of stories; pyarrow's reader refuses rows of
other lengths."""

from __future__ import annotations

import csv
import io
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from statistics import median

from trainer.corpus.read.chunks import Chunk, value_chunks
from trainer.corpus.read.fields import ROWS_LOOKED_AT, choose_field, survey
from trainer.corpus.read.formats import DELIMITERS, NO_DELIMITER, Format
from trainer.corpus.read.packing import OpenFile
from trainer.corpus.read.text_streams import parts_of, plain, start_of, text_of
from trainer.settings.corpus import Corpus

CANDIDATES = (",", ";", "\t", "|")
LONGEST_FIELD = 16 * 2**20  # characters
CONSISTENT = 0.5  # of the rows have as many columns as the first
SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\n')  # which Excel writes and reads
ENDED = re.compile(r"""[.!?。！？।؟۔…]["'”’»)]*\s*$""")
NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d\s*%?")


def read(opened: OpenFile, kind: str, settings: Corpus) -> tuple[Format, Iterator[Chunk]]:
    """Return how a table of separated values is read, and its chunks. Raises ValueError if the
    column cannot be decided; the message names the setting."""
    form, text = start_of(opened, kind, settings)
    name, text, delimiter = str(opened.file), plain(text), settings.column_delimiter
    if match := SEP_LINE.match(text):
        delimiter, text = delimiter or match.group(1), text[match.end() :]
    try:
        delimiter = delimiter or delimiter_of(text, kind)
        quoted = is_quoted(text, delimiter)
        rows = first_rows(text, delimiter, quoted)
    except csv.Error as error:
        raise not_a_table(name, error) from None
    head = has_head(rows)
    first = rows[0] if rows else []
    names = first if head else [str(number) for number, _ in enumerate(first, start=1)]
    looked_at = rows[head:][:ROWS_LOOKED_AT] or [[""] * len(names)]
    columns = survey(dict(zip(names, row, strict=False)) for row in looked_at)
    field = choose_field(name, columns, settings.field)
    form = replace(form, field=field, delimiter=delimiter, quoted=quoted, head=head)
    text_parts = parts_of(text_of(opened, form, plain_ends=True), name)
    return form, value_chunks(opened, column_of(text_parts, form, name), "")


def delimiter_of(text: str, kind: str) -> str:
    """Return the delimiter of a table, from its start."""
    default = DELIMITERS[kind]
    candidates = sorted(CANDIDATES, key=lambda candidate: candidate != default)
    shares = {candidate: consistency(text, candidate) for candidate in candidates}
    delimiter = max(candidates, key=lambda candidate: shares[candidate])
    if shares[delimiter] >= CONSISTENT:
        return delimiter
    return NO_DELIMITER if has_one_column(text, default) else default


def consistency(text: str, delimiter: str) -> float:
    """Return the share of rows with as many columns as the first; 0 if the first has one."""
    rows = first_rows(text, delimiter, is_quoted(text, delimiter))
    rows = rows[:-1] if len(rows) > 2 else rows  # the last may be cut off
    if not rows or len(rows[0]) < 2:
        return 0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def has_one_column(text: str, delimiter: str) -> bool:
    """Return whether a delimiter splits the rows of a table, but not its head."""
    rows = first_rows(text, delimiter, is_quoted(text, delimiter))
    return len(rows) > 1 and len(rows[0]) == 1 and 2 * sum(len(r) > 1 for r in rows) > len(rows)


def is_quoted(text: str, delimiter: str) -> bool:
    """Return whether quotation marks around fields belong to the table, not to its stories."""
    fields = re.compile(
        rf'(?:(?P<whole>"[^"]*(?:""[^"]*)*"(?=[{re.escape(delimiter)}\n]|\Z))'
        rf"|(?P<plain>[^{re.escape(delimiter)}\n]*))(?:[{re.escape(delimiter)}\n]|\Z)"
    )
    whole = stray = 0
    for field in fields.finditer(text):
        whole += field["whole"] is not None
        stray += '"' in (field["plain"] or "")
    return whole >= stray


def has_head(rows: Sequence[Sequence[str]]) -> bool:
    """Return whether the first row names the columns. It does not if it has a number where all rows
    have numbers, or a story where they have stories."""
    if len(rows) < 2:
        return True
    first, rest = rows[0], rows[1:]
    columns = [[row[number] for row in rest if number < len(row)] for number in range(len(first))]
    for cell, column in zip(first, columns, strict=True):
        if column and all(map(NUMBER.fullmatch, column)):
            return not NUMBER.fullmatch(cell)
    for cell, column in zip(first, columns, strict=True):
        long = column and len(cell) >= median(map(len, column)) / 3
        if long and ENDED.search(cell) and len(cell.split()) > 2:
            return False
    return True


def rows_of(lines: Iterable[str], delimiter: str, quoted: bool) -> Iterator[list[str]]:
    """Yield the rows of a table, without empty rows."""
    csv.field_size_limit(LONGEST_FIELD)
    if quoted:
        return filter(None, csv.reader(lines, delimiter=delimiter))
    return filter(None, csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE))


def first_rows(text: str, delimiter: str, quoted: bool) -> list[list[str]]:
    """Return the rows of the start of a table, the last of which may be cut off."""
    return list(rows_of(io.StringIO(text, newline="\n"), delimiter, quoted))


def column_of(text: Iterable[str], form: Format, name: str) -> Iterator[str | None]:
    """Yield the column with the stories; None in a row that is too short."""
    lines = lines_of(text)
    first = next(lines, "")
    if not SEP_LINE.match(first):
        lines = itertools.chain([first], lines)
    try:
        rows = rows_of(lines, form.delimiter, form.quoted)
        if form.head:
            names = next(rows, [])
            index = len(names) - 1 - names[::-1].index(form.field)  # the last of this name
        else:
            index = int(form.field) - 1
        for row in rows:
            yield row[index] if index < len(row) else None
    except csv.Error as error:
        raise not_a_table(name, error) from None


def not_a_table(name: str, error: csv.Error) -> ValueError:
    """Return the error for a table that is damaged."""
    return ValueError(f"{name} is not a table that can be read ({error}): mend it")


def lines_of(text: Iterable[str]) -> Iterator[str]:
    """Yield the lines of a text that comes in parts, with their ends."""
    rest = ""
    for part in text:
        *whole_lines, rest = (rest + part).split("\n")
        yield from (f"{line}\n" for line in whole_lines)
    if rest:
        yield rest
