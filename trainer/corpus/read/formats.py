"""How a file is read: what was detected in it, for the fingerprint of a store and for people."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK

DELIMITERS = {"csv": ",", "tsv": "\t"}  # the usual one of each kind
NO_DELIMITER = "\x1f"  # the table has one column, whatever marks are in it
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
        separator: what separates the stories of a text: mark, line, empty-line, file for nothing,
            or the text that does.
        delimiter, quoted, head: how a table of separated values is written.
        encoding: of the text.
        line_ends: cr, where lines end with a carriage return alone.
        book: the text is a book of Project Gutenberg, read without header and licence.
        width: at which lines were wrapped, which is undone; 0 leaves them.
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
        """Return what of it decides which stories are read; a JSON lines file with the field
        `text`, a text with marks and a parquet file are what they always were."""
        usual = Format(self.kind, delimiter=DELIMITERS.get(self.kind, ""))
        decisive: dict[str, Any] = {"kind": self.kind}
        if self.field not in ("", "text"):
            decisive["field"] = self.field
        for key in list(self.__dataclass_fields__)[2:]:
            if getattr(self, key) not in (getattr(usual, key), ""):
                decisive[key] = getattr(self, key)
        return decisive

    def details(self) -> Iterator[tuple[str, str]]:
        """Yield what was detected, each with its name."""
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
        (_, kind), *others = self.details()
        return kind + "".join(f", {name} {value}" for name, value in others)
