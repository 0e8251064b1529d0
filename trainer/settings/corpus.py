"""Settings of the corpus: which stories are read, and how they are cleaned."""

from __future__ import annotations

import re
from dataclasses import dataclass

from trainer.settings.setting import setting

DEFAULT_REVISION = "f54c09fd23315a6f9c86f9dc80f725de7d8f9c64"  # of roneneldan/TinyStories


@dataclass(frozen=True)
class Corpus:
    """Which stories are read, and how they are cleaned."""

    source: str = setting(
        "roneneldan/TinyStories",
        "the stories: a Hub data set, `gpt4` (TinyStories' second version), `sample`"
        " (bundled), - (stdin), or files: .jsonl .json .csv .tsv .txt, also .gz .zst .xz .bz2, .zip"
        " .tar .parquet .arrow, folders, patterns, several separated by commas",
        separator=",",
    )
    validation: str = setting(
        "",
        "validation files; empty means the source's own part, or a part of it by hash",
        separator=",",
    )
    validation_share: float = setting(0.01, "part of the stories that is held out by hash")
    field: str = setting(
        "",
        "field or column with the stories, or a path such as data.text, messages.-1.content or"
        " data.*.text; empty: `text`, or the one that can only be meant",
    )
    separator: str = setting(
        "auto",
        "what separates the stories of a .txt: mark (<|endoftext|>), line, empty-line, file (it is"
        " one story), or a text of your own; auto: marks, and a long text without them is asked"
        " about",
    )
    delimiter: str = setting(
        "auto", "what separates the columns of a .csv or .tsv: auto, tab, or a character"
    )
    encoding: str = setting(
        "auto", "encoding of the files, such as cp1252; auto: UTF-8, or UTF-16 if detected"
    )
    unwrap: str = setting(
        "auto",
        "join the lines of a .txt that were wrapped at some width, as Project Gutenberg's",
        choices=("auto", "on", "off"),
    )
    tokenizer: str = setting(
        "gpt2",
        "whose token ids: gpt2, a tokenizer.json (byte-level BPE), or train:N, at most N learned "
        "ones",
    )
    split: str = setting(
        "train",
        "split to train on, of a folder, a pattern, an archive or another data set on the Hub; all:"
        " every file",
    )
    revision: str = setting(
        DEFAULT_REVISION,
        "commit of the data set on the Hub; left as it is, another than TinyStories has its newest",
    )
    folder: str = setting("data", "where token stores are kept")
    mojibake: bool = setting(True, "repair characters that were decoded wrongly")
    markup: bool = setting(True, "unescape HTML entities and strip tags")
    control: bool = setting(
        True, "remove invisible characters: controls, zero-width marks, joiners"
    )
    typography: bool = setting(
        True, "plain quotes, dashes and spaces, one line break per paragraph"
    )
    special: str = setting(
        "drop",
        "characters other than Latin letters, digits and prose punctuation: drop the story, strip"
        " them, or keep them",
        choices=("drop", "strip", "keep"),
    )
    lower_case: bool = setting(False, "write everything in lower case")
    english: bool = setting(True, "drop stories that are not English")
    complete: bool = setting(True, "drop stories without closing punctuation")
    min_tokens: int = setting(8, "drop stories of fewer tokens", unit="tokens")
    max_tokens: int = setting(
        0, "drop stories of this many tokens or more; 0 keeps every length", unit="tokens"
    )
    long_stories: str = setting(
        "drop", "stories of max_tokens or more: dropped, or cut after the last sentence that fits",
        choices=("drop", "cut"),
    )  # fmt: skip
    duplicates: bool = setting(True, "drop duplicates of earlier stories, word for word")
    near_duplicates: float = setting(
        0.0, "drop stories that share this much of their five-word runs with one before; 0 is off"
    )
    decontaminate: bool = setting(
        True, "drop training stories that, but for case and punctuation, are in the validation part"
    )
    workers: int = setting(0, "threads that clean and encode; 0 means one per core", unit="threads")

    @property
    def column_delimiter(self) -> str:
        """Return the character that separates columns; "" for detection."""
        return {"auto": "", "tab": "\t", "\\t": "\t"}.get(self.delimiter, self.delimiter)

    def reading_complaints(self) -> list[str]:
        """Return a message for each invalid setting of reading."""
        complaints = []
        if len(self.column_delimiter) > 1 or self.column_delimiter in ('"', "\n", "\r"):
            complaints.append(
                f"corpus.delimiter must be auto, tab or one character, not {self.delimiter!r}"
            )
        if not self.separator.strip():
            complaints.append("corpus.separator must not be empty: auto, mark, line, ...")
        try:
            if self.encoding != "auto":
                "".encode(self.encoding)
        except LookupError:
            complaints.append(
                "corpus.encoding must be auto or an encoding that Python knows, such as utf-8,"
                f" utf-16, cp1252 or gb18030, not {self.encoding!r}"
            )
        return complaints

    def complaints(self) -> list[str]:
        """Return a message for each invalid value."""
        complaints = self.reading_complaints()
        if not self.source:
            complaints.append("corpus.source is empty: name a Hub dataset, a file, or `sample`")
        if not 0 <= self.validation_share < 1:
            complaints.append(
                f"corpus.validation_share must be from 0 to below 1, not {self.validation_share}"
            )
        if not 0 <= self.near_duplicates < 1:
            complaints.append(
                f"corpus.near_duplicates must be 0 (off) to below 1, not {self.near_duplicates}"
            )
        if not re.fullmatch("[0-9a-f]{40}", self.revision):
            complaints.append(
                "corpus.revision must be a commit (40 hexadecimal digits), so that it always means"
                f" the same stories, not {self.revision!r}"
            )
        size = self.tokenizer.removeprefix("train:")
        if size != self.tokenizer and not (size.isdecimal() and 257 < int(size) <= 65_536):
            complaints.append(
                f"corpus.tokenizer train:N: N is 258 (bytes, a pair, an end) to 65,536, not {size}"
            )
        if self.max_tokens < 0:
            complaints.append(
                f"corpus.max_tokens must be 0 (every length) or more, not {self.max_tokens}"
            )
        if self.long_stories == "cut" and not self.max_tokens:
            complaints.append(
                "corpus.long_stories cut needs corpus.max_tokens, the length to cut to"
            )
        for key in ("min_tokens", "workers"):
            if getattr(self, key) < 0:
                complaints.append(f"corpus.{key} must be 0 or more, not {getattr(self, key)}")
        return complaints
