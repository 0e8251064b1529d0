"""How a file of stories is understood: its kind by its name, the rest by a look at its start.

    .jsonl .ndjson        an object a line; .json too, if it has one a line
    .json                 an array of objects or of texts
    .csv .tsv             a table with a head line
    .txt                  stories parted by <|endoftext|>, empty lines or line ends
    .parquet .arrow       a table; a folder of `datasets.save_to_disk` holds the latter

The first four may be .gz or .zst. The field or column is `text` or what can only be meant. What
the file does not decide is asked for by the setting's name, and never guessed.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MARK = "<|endoftext|>"
KINDS = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "json": "json",
    "csv": "csv",
    "tsv": "tsv",
    "txt": "txt",
    "parquet": "parquet",
    "arrow": "arrow",
}
TABLES = ("parquet", "arrow")
FIELDS = ("text", "story", "content", "body")  # taken in this order, if they hold text
LOOK = 2**18  # bytes of a file's start
ONE_STORY = 20_000  # bytes; a longer text without marks is more than one story


@dataclass(frozen=True)
class Format:
    """How a file is read.

    Attributes:
        kind: one of the values of KINDS.
        field: the field or column with the stories; "" in a text, or an array of texts.
        separator: what parts the stories of a text: mark, line, empty-line, or file for none.
    """

    kind: str
    field: str = "text"
    separator: str = "mark"

    def to_json(self) -> dict[str, str]:
        """What of it decides which stories are read; a JSON lines file with the field `text`, a
        text with marks and a parquet file are what they always were."""
        found = {"kind": self.kind}
        if self.field not in ("", "text"):
            found["field"] = self.field
        if self.separator != "mark":
            found["separator"] = self.separator
        return found


def kind_by_name(file: Path) -> str:
    """The kind that a file's name says.

    Raises:
        ValueError: it says none that is known.
    """
    name = file.name.lower()
    bare = name.removesuffix(".gz").removesuffix(".zst")
    kind = KINDS.get(bare.rpartition(".")[2], "")
    if not kind or "." not in bare or (kind in TABLES and bare != name):
        raise ValueError(
            f"{file} is of no known kind: give a .jsonl, .json, .csv, .tsv, .txt (all may be .gz "
            "or .zst), .parquet or .arrow file"
        )
    return kind


def understand_text(file: Path, start: bytes, field: str = "", separator: str = "auto") -> Format:
    """How a file of text, JSON or comma-separated values is read.

    Args:
        file: its name says the kind.
        start: its first bytes, LOOK of them at most, unpacked.
        field, separator: the settings corpus.field and corpus.separator.

    Raises:
        ValueError: the field or the separator cannot be decided; the sentence names the setting.
    """
    kind = kind_by_name(file)
    text = codecs.getincrementaldecoder("utf-8-sig")("replace").decode(start)
    if kind == "txt":
        return Format(kind, "", separator_of(file, text, len(start), separator))
    if kind in ("csv", "tsv"):
        names = next(csv.reader(io.StringIO(text), delimiter=delimiter(kind)), [])
        return Format(kind, choose_field(file, names, names, field))
    if kind == "json" and text.lstrip().startswith("["):
        first = first_of_array(text)
        if isinstance(first, str):
            return Format(kind, "")
        return Format(kind, field_of(file, first, field))
    return Format("jsonl", field_of(file, first_line(text), field))


def delimiter(kind: str) -> str:
    """What parts the columns."""
    return "\t" if kind == "tsv" else ","


def separator_of(file: Path, text: str, size: int, wanted: str) -> str:
    """What parts the stories of a text, of which this is the start."""
    if wanted != "auto":
        return wanted
    if MARK in text or size < ONE_STORY:
        return "mark"
    raise ValueError(
        f"{file} has no {MARK} marks between its stories: say how they are parted with "
        "--corpus.separator line, empty-line or file (the whole file is one)"
    )


def field_of(file: Path, row: Any, wanted: str) -> str:
    """The field with the stories, by the first row of a file; what is broken is an error when it is
    read, with its line."""
    if not isinstance(row, dict):
        return wanted or "text"
    texts = [name for name, value in row.items() if isinstance(value, str)]
    return choose_field(file, texts, list(row), wanted)


def choose_field(file: Path, texts: Sequence[str], names: Sequence[str], wanted: str) -> str:
    """The field with the stories among those that hold `texts`; `names` are all."""
    if wanted and wanted in names:
        return wanted
    if not wanted:
        found = [name for name in FIELDS if name in texts] or list(texts)
        if found and (found[0] in FIELDS or len(found) == 1):
            return found[0]
    missing = f"no field `{wanted}`" if wanted else "several fields that may hold the stories"
    if not wanted and not texts:
        missing = "no field with text"
    raise ValueError(
        f"{file} has {missing} (it has {', '.join(map(str, names)) or 'none'}): name the one with "
        "the stories with --corpus.field"
    )


def first_line(text: str) -> Any:
    """The first JSON value of a text with one a line; None if it is broken or cut off."""
    line = next((line for line in text.split("\n") if line.strip()), "")
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def first_of_array(text: str) -> Any:
    """The first value of a JSON array; None if it is broken or cut off."""
    try:
        return json.JSONDecoder().raw_decode(text.lstrip()[1:].lstrip())[0]
    except (ValueError, RecursionError):
        return None
