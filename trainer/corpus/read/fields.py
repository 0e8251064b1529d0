"""Choose the field of a row that holds the story: a key, or a path to a nested key.

    text                     a key, a column
    data.text                a key inside another
    messages.-1.content      the last entry of a list (0 is the first)
    data.*.text              every entry of a list, each a story

Many rows are read: the first may lack a text that the others have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

FIELDS = ("text", "story", "content", "body")  # chosen in this order, if they hold text
ROWS_LOOKED_AT = 1000
DEPTH = 4  # of the longest path that is tried
SHOWN = 12  # names in a message
LONG_NAME = 40  # characters of a name in a message
LABELS = 10  # rows; with at least this many, a field with few distinct values is a label
INDEX = re.compile(r"\.-?\d+(?=\.|$)")


class WrongRowError(ValueError):
    """A row without a text where the field is."""


@dataclass
class Column:
    """The values of one field in the rows that were looked at."""

    texts: list[str] = field(default_factory=list)
    num_others: int = 0  # numbers, lists and so on; null counts as neither

    @property
    def is_text(self) -> bool:
        """Whether the field holds texts, or no values but null."""
        return bool(self.texts) or not self.num_others

    @property
    def is_prose(self) -> bool:
        """Whether the field's texts may be stories: several words each, and distinct."""
        texts = [text for text in self.texts if text.strip()]
        many = len(texts) >= LABELS
        spoken = sum(len(text.split()) > 2 or len(text.encode()) > 2 * len(text) for text in texts)
        return 2 * spoken > len(texts) and not (many and len(set(texts)) <= len(texts) / LABELS)


def texts_at(row: Any, path: str) -> list[str]:
    """Return the texts at a path; none for null. Raises WrongRowError for any other value."""
    if path and isinstance(row, dict) and path in row:
        row, path = row[path], ""
    if not path:
        if row is None:
            return []
        if not isinstance(row, str):
            raise WrongRowError
        return [row]
    key, _, rest = path.partition(".")
    if key == "*" and isinstance(row, list | dict):
        entries = row.values() if isinstance(row, dict) else row
        return [text for entry in entries for text in texts_at(entry, rest)]
    try:
        return texts_at(row[int(key)] if isinstance(row, list) else row[key], rest)
    except (LookupError, TypeError, ValueError):
        raise WrongRowError from None


def survey(rows: Iterable[Any]) -> dict[str, Column]:
    """Return the fields of some rows as columns, by path."""
    columns: dict[str, Column] = {}
    for row in rows:
        if isinstance(row, dict):
            for path, value in leaves(row, ""):
                column = columns.setdefault(path, Column())
                if isinstance(value, str):
                    column.texts.append(value)
                elif value is not None:
                    column.num_others += 1
    return columns


def leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Yield every path inside a value with its value; a list has one path for all entries."""
    if path:
        yield path, value
    if path.count(".") >= DEPTH:
        return
    prefix = f"{path}." if path else ""
    if isinstance(value, dict):
        numbered = bool(path) and value.keys() and all(str(key).isdecimal() for key in value)
        for key, entry in value.items():
            yield from leaves(entry, f"{prefix}{'*' if numbered else key}")
    elif isinstance(value, list):
        for entry in value:
            yield from leaves(entry, f"{prefix}*")


def choose_field(name: str, columns: dict[str, Column], wanted: str, *, alone: bool = False) -> str:
    """Return the field with the stories. Raises ValueError if there is no such field, or naming
    them if there are several.

    Args:
        name: of the file, for the message.
        columns: the fields of its rows.
        wanted: the setting corpus.field; "" chooses the only candidate.
        alone: the file is one row, so that a list inside it may hold the stories.
    """
    if wanted:
        exact = next((path for path in columns if path.strip() == wanted), "")
        general = INDEX.sub(".*", wanted)
        column = columns.get(exact or general)
        if column is None:
            raise ValueError(f"{name} has no field `{wanted}` ({listed(columns)}): {REMEDY}")
        if column.num_others and not column.texts:
            raise ValueError(
                f"{name} has no text in a field `{wanted}` ({listed(columns)}): {REMEDY}"
            )
        return exact or wanted
    if chosen := known_field(columns) or only_field(columns, alone):
        return chosen
    texts = [path for path, column in columns.items() if column.texts]
    missing = "several fields that may hold the stories" if texts else "no field with text"
    raise ValueError(f"{name} has {missing} ({listed(columns)}): {REMEDY}{example(columns)}")


REMEDY = "name the one with the stories with --corpus.field"


def known_field(columns: dict[str, Column]) -> str:
    """Return the field with a usual name for stories, or ""."""
    top = [path for path, column in columns.items() if "." not in path and column.is_text]
    paths = [name for name in FIELDS if name in top]
    paths += [path for name in FIELDS for path in top if path.strip().casefold() == name]
    return next((path for path in paths if columns[path].texts), paths[0] if paths else "")


def only_field(columns: dict[str, Column], alone: bool) -> str:
    """Return the only field that may hold stories, or ""."""
    top = [path for path, column in columns.items() if "." not in path and column.texts]
    prose = [path for path in top if columns[path].is_prose]
    inside = [
        path
        for path, column in columns.items()
        if "." in path and column.is_prose and (alone or "*" not in path)
    ]
    lists = [path for path in columns if "*" in path]
    if len(prose) == 1:
        return prose[0]
    if len(top) == 1 and not inside and not lists:
        return top[0]
    named = [path for path in inside if path.replace(".*", "").rpartition(".")[2] in FIELDS]
    for paths in (named, inside):
        if not prose and len(paths) == 1:
            return paths[0]
    return ""


def listed(columns: dict[str, Column]) -> str:
    """Return the names of fields; nested fields only if they hold text."""
    names = [path for path, column in columns.items() if "." not in path or column.texts]
    short = [name if len(name) <= LONG_NAME else f"{name[:LONG_NAME]}..." for name in names]
    return f"it has {first_few(short, SHOWN) or 'none'}"


def first_few(names: list[str], count: int) -> str:
    """Return the first `count` names, and the number of the others."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def example(columns: dict[str, Column]) -> str:
    """Return how to name a text in a list; "" without such a text."""
    path = next((path for path, column in columns.items() if "*" in path and column.is_prose), "")
    if not path:
        return ""
    return f" {path} (every entry of the list) or {path.replace('*', '-1', 1)} (its last)"
