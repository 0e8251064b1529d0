"""Story files: every kind gives the same stories, a broken one gives a sentence with its place."""

import gzip
import json
import re
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpus.read import chunks
from trainer.corpus.read.chunks import cut
from trainer.corpus.read.packing import Stream

from .conftest import read_file, story, write_jsonl

MARK = "\n<|endoftext|>\n"


def error_of(file: Path) -> str:
    with pytest.raises(ValueError) as raised:
        list(read_file(file))
    assert str(file) in str(raised.value)
    return str(raised.value)


@settings(max_examples=50, deadline=None)
@given(size=st.integers(1, 400), separator=st.sampled_from([b"\n", b"<|endoftext|>"]))
def test_cutting_loses_nothing_and_cuts_at_separators(size: int, separator: bytes) -> None:
    class Slow:
        """A stream that gives less than it is asked for."""

        def __init__(self, data: bytes) -> None:
            self.data = data

        def read(self, wanted: int, /) -> bytes:
            part, self.data = self.data[: min(wanted, 7)], self.data[min(wanted, 7) :]
            return part

    content = separator.join(b"story %d" % number * 9 for number in range(40)) + b"end"
    before, chunks.CHUNK_BYTES = chunks.CHUNK_BYTES, size
    try:
        parts = list(cut(Stream(Slow(content).read), separator, "stories"))
    finally:
        chunks.CHUNK_BYTES = before
    assert b"".join(parts) == content
    assert all(part.endswith(separator) for part in parts[:-1])


TEXT = MARK.join(map(story, range(200))).encode()
GOOD = b'{"text": "Good."}\n\n{"text": "Good."}\n'
BROKEN: list[tuple[str, bytes | None, str]] = [
    *(
        ("stories.jsonl", GOOD + line + b"\n", f"^line 4 of FILE {wrong}: mend it or take it out$")
        for line, wrong in (
            (b'{"text": "cut', "is not JSON"),
            (b'{"story": "What?"}', "has no text in a field `text`"),
            (b'{"text": 7}', "has no text in a field `text`"),
            (b'"only a text"', "has no text in a field `text`"),
            (b"[" * 100_000, "is not JSON"),
        )
    ),
    (
        "stories.jsonl",
        GOOD + b'{"text": "caf\xe9"}\n',
        "^line 4 of FILE is not UTF-8: name the file's encoding with .*--corpus.encoding",
    ),
    ("stories.txt", b"One.\n<|endoftext|>\nTwo caf\xe9.", "^line 3 of FILE is not UTF-8"),
    *(("stories.txt.gz", gzip.compress(TEXT)[:end], "to its end") for end in (3, 400, -6)),
    *(("stories.txt.zst", zstandard.compress(TEXT)[:end], "to its end") for end in (3, 400, -6)),
    ("stories.txt.gz", b"Once upon a time.", "cannot be read to its end"),  # not compressed
    *(("stories.parquet", torn, "not a whole parquet file") for torn in (b"PAR1 and no more", b"")),
    *(
        (name, b"Once upon a time.", "is of no known kind")
        for name in ("stories.docx", "stories", "stories.parquet.gz", "jsonl")
    ),
    ("missing.txt", None, "^there is no file FILE:"),
]


@pytest.mark.parametrize(("name", "content", "wrong"), BROKEN, ids=range(len(BROKEN)))
def test_what_is_wrong_with_a_file_is_named(
    name: str, content: bytes | None, wrong: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    if content is not None:
        file.write_bytes(content)
    assert re.search(wrong, error_of(file).replace(str(file), "FILE"))


def test_a_broken_line_far_into_a_file_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    file = write_jsonl(tmp_path / "stories.jsonl", [f"Story {n}." for n in range(500)])
    with file.open("ab") as stream:
        stream.write(b"no story\n")
    assert error_of(file).startswith(f"line 501 of {file} is not JSON")


@pytest.mark.parametrize("name", ["stories.jsonl", "stories.txt"])
def test_a_50_mb_line_is_no_story(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b'{"text": "' + b"once upon a time " * 3_000_000 + b'"}\n')
    wrong = "without the end of a story" if name.endswith("l") else "no <|endoftext|> marks"
    assert wrong in error_of(file)


def test_empty_rows_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "stories.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["A.", None, "B."]}), file)
    assert list(read_file(file)) == ["A.", "B."]


@pytest.mark.parametrize(
    "content",
    [
        "\ufeffOne.\r\nTwo.\r\n<|endoftext|>\r\nThree.\r\n<|endoftext|>\r\n",
        "One.\rTwo.\r<|endoftext|>\rThree.",
        "One.\nTwo.<|endoftext|><|endoftext|>Three.",
    ],
)
def test_what_belongs_to_a_text_file_is_taken_off(tmp_path: Path, content: str) -> None:
    file = tmp_path / "stories.txt"
    file.write_text(content, newline="", encoding="utf-8")
    assert [story.strip() for story in read_file(file)] == ["One.\nTwo.", "Three."]


def test_what_belongs_to_a_jsonl_file_is_taken_off(tmp_path: Path) -> None:
    file = tmp_path / "stories.jsonl"
    lines = [
        {"text": "\ufeffOne.\r\nTwo."},
        {"text": "<|endoftext|>Three.\n<|endoftext|>"},
        {"text": "In <|endoftext|> the middle."},
    ]
    content = "\r\n".join(map(json.dumps, lines)) + "\r\n"
    file.write_text("\ufeff" + content, newline="", encoding="utf-8")
    assert list(read_file(file)) == ["One.\nTwo.", "Three.\n", "In <|endoftext|> the middle."]


@pytest.mark.parametrize(
    ("name", "content", "stories"),
    [
        ("stories.txt", b"A\x00B.<|endoftext|>\x00", ["A\x00B.", "\x00"]),
        # Zeros after a gzip are a tape's padding.
        ("stories.txt.gz", gzip.compress(b"One.<|endoftext|>Two.") + bytes(512), ["One.", "Two."]),
    ],
)
def test_zeros_are_read(name: str, content: bytes, stories: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(content)
    assert list(read_file(tmp_path / name)) == stories
