"""How a file is read, as detected: for the fingerprint of a store and for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK

DELIMITERS = {"csv": ",", "tsv": "\t"}  # the default of each kind
NO_DELIMITER = "\x1f"  # the table has one column, even with commas in it
KIND_NAMES = {"jsonl": "a JSON value per line", "json": "JSON values"}
SEPARATOR_NAMES = {
    "mark": END_OF_TEXT_MARK,
    "line": "line ends: a story per line",
    "empty-line": "empty lines",
    "file": "nothing: one story",
}
DELIMITER_NAMES = {
    NO_DELIMITER: "none",
    ",": "comma",
    ";": "semicolon",
    "\t": "tab",
    "|": "vertical bar",
}


@dataclass(frozen=True)
class Format:
    """How a file is read.

    Attributes:
        kind: txt, jsonl (a value per line), json (values over several lines), csv, tsv, parquet or
            arrow.
        field: the field or column with the stories, or a path to it; "" where a row is a text.
        separator: between the stories of a text: mark, line, empty-line, file (one story), or the
            separating text itself.
        delimiter, quoted, head: of a table of separated values.
        encoding: of the text.
        line_ends: cr, where lines end with a carriage return alone.
        book: the text is a book of Project Gutenberg, read without header and licence.
        width: at which lines were wrapped, and are joined again; 0 if they are not.
    """

    kind: str
    field: str = "text"
    separator: str = "mark"
    delimiter: str = ""
    quoted: bool = True
    head: bool = True
    encoding: str = "utf-8"
    line_ends: str = ""
    book: bool = False
    width: int = 0

    def to_json(self) -> dict[str, Any]:
        """Return the values that decide which stories are read, without the defaults, so that
        fingerprints of older versions stay valid."""
        usual = Format(self.kind, delimiter=DELIMITERS.get(self.kind, ""))
        decisive: dict[str, Any] = {"kind": self.kind}
        if self.field not in ("", "text"):
            decisive["field"] = self.field
        for key in list(self.__dataclass_fields__)[2:]:
            if getattr(self, key) not in (getattr(usual, key), ""):
                decisive[key] = getattr(self, key)
        return decisive

    def details(self) -> Iterator[tuple[str, str]]:
        """Yield the detected properties as (name, value)."""
        yield "kind", KIND_NAMES.get(self.kind, self.kind)
        if self.kind == "txt":
            yield "separator", SEPARATOR_NAMES.get(self.separator, f"`{self.separator}`")
        elif self.field:
            yield "field", f"`{self.field}`"
        if self.kind in DELIMITERS:
            yield "delimiter", DELIMITER_NAMES.get(self.delimiter, f"`{self.delimiter}`")
            yield "quotation marks", "around fields" if self.quoted else "part of the stories"
            yield "head line", "yes" if self.head else "none: columns are called 1, 2, ..."
        if self.encoding != "utf-8":
            yield "encoding", self.encoding
        if self.book:
            yield "book", "of Project Gutenberg: header and licence are left out"
        if self.width:
            yield "wrapped lines", "joined (--corpus.unwrap off keeps them)"

    def __str__(self) -> str:
        (_, kind), *rest = self.details()
        return kind + "".join(f", {name} {value}" for name, value in rest)
