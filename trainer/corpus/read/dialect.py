"""How a table of separated values is written: its delimiter, its quoting, its head line.

The start of the table is split by each candidate. The delimiter is the one that gives the most rows
the same number of columns. Quoting is judged by the fields: a writer that quotes closes every
quoted field before a delimiter, and quotes every field that holds a quotation mark. `csv.Sniffer`
looks at a few characters' frequency only, and is wrong for half of the tables of stories.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

CANDIDATES = (",", ";", "\t", "|")
DEFAULTS = {"csv": ",", "tsv": "\t"}
LONGEST_FIELD = 16 * 2**20  # characters
CONSISTENT = 0.5  # of the rows have as many columns as the first
NONE = "\x1f"  # as a delimiter: the table has one column, whatever marks are in it
SEP_LINE = re.compile(r'\ufeff?"?sep=(.)"?\n')  # which Excel writes and reads
ENDED = re.compile(r"""[.!?。！？।؟۔…]["'”’»)]*\s*$""")
NUMBER = re.compile(r"\s*[-+]?[\d.,]*\d\s*%?")


@dataclass(frozen=True)
class Dialect:
    """How a table is written.

    Attributes:
        delimiter: what separates the columns.
        quoted: whether quotation marks around a field belong to the table.
        head: whether its first row names the columns.
    """

    delimiter: str
    quoted: bool = True
    head: bool = True


def detect(text: str, kind: str, delimiter: str = "") -> Dialect:
    """Return how a table is written.

    Args:
        text: its start, with plain line ends.
        kind: csv or tsv.
        delimiter: the one that it has; "" means that it is detected.
    """
    if match := SEP_LINE.match(text):
        delimiter, text = delimiter or match.group(1), text[match.end() :]
    if not delimiter:
        default = DEFAULTS[kind]
        order = sorted(CANDIDATES, key=lambda candidate: candidate != default)
        shares = {candidate: consistency(text, candidate) for candidate in order}
        delimiter = max(order, key=lambda candidate: shares[candidate])
        if shares[delimiter] < CONSISTENT:
            delimiter = NONE if has_one_column(text, default) else default
    quoted = is_quoted(text, delimiter)
    return Dialect(delimiter, quoted, has_head(first_rows(text, delimiter, quoted)))


def consistency(text: str, delimiter: str) -> float:
    """Return the share of rows with as many columns as the first has; 0 if that is one."""
    rows = first_rows(text, delimiter, is_quoted(text, delimiter))
    rows = rows[:-1] if len(rows) > 2 else rows  # the last may be cut off
    if not rows or len(rows[0]) < 2:
        return 0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def has_one_column(text: str, delimiter: str) -> bool:
    """Return whether a delimiter splits the rows of a table, but not its head."""
    rows = first_rows(text, delimiter, is_quoted(text, delimiter))
    return len(rows) > 1 and len(rows[0]) == 1 and 2 * sum(len(r) > 1 for r in rows) > len(rows)


def rows_of(lines: Iterable[str], delimiter: str, quoted: bool) -> Iterator[list[str]]:
    """Yield the rows of a table that have any column."""
    csv.field_size_limit(LONGEST_FIELD)
    if quoted:
        return filter(None, csv.reader(lines, delimiter=delimiter))
    return filter(None, csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE))


def first_rows(text: str, delimiter: str, quoted: bool) -> list[list[str]]:
    """Return the rows of the start of a table, the last of which may be cut off."""
    return list(rows_of(io.StringIO(text, newline="\n"), delimiter, quoted))


def is_quoted(text: str, delimiter: str) -> bool:
    """Return whether quotation marks around fields belong to the table and not to its stories."""
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
    """Return whether the first row names the columns.

    It does not if it has a number where all rows have one, or a story where they have stories.
    """
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
