"""Story files: every kind gives the same stories, a broken one gives a sentence with its place."""

import gzip
import json
from collections.abc import Callable
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

from .conftest import read_file, write_jsonl

MARK = "\n<|endoftext|>\n"


def told(file: Path) -> str:
    with pytest.raises(ValueError) as raised:
        list(read_file(file))
    assert str(file) in str(raised.value)
    return str(raised.value)


@pytest.mark.parametrize("kind", ["jsonl", "jsonl.gz", "jsonl.zst", "txt", "txt.gz", "parquet"])
def test_every_kind_gives_the_same_stories(tmp_path: Path, stories: list[str], kind: str) -> None:
    file = tmp_path / f"stories.{kind}"
    if kind == "parquet":
        table = pyarrow.table({"number": range(len(stories)), "text": stories})
        pyarrow.parquet.write_table(table, file, row_group_size=37)
    else:
        lines = (json.dumps({"text": story, "more": 1}) for story in stories)
        content = ("\n".join(lines) if "jsonl" in kind else MARK.join(stories)).encode()
        packed: dict[str, Callable[[bytes], bytes]] = {
            "gz": lambda data: gzip.compress(data[:5000]) + gzip.compress(data[5000:]),
            "zst": zstandard.compress,
        }
        file.write_bytes(packed.get(kind.rpartition(".")[2], bytes)(content))
    assert [story.strip("\n") for story in read_file(file)] == stories


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


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        (b'{"text": "cut', "is not JSON"),
        (b'{"story": "What?"}', "has no text in a field `text`"),
        (b'{"text": 7}', "has no text in a field `text`"),
        (b'"only a text"', "has no text in a field `text`"),
        (b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_broken_line_is_named_by_its_number(tmp_path: Path, line: bytes, wrong: str) -> None:
    file = tmp_path / "stories.jsonl"
    file.write_bytes(b'{"text": "Good."}\n\n{"text": "Good."}\n' + line + b"\n")
    assert told(file) == f"line 4 of {file} {wrong}: mend it or take it out"


def test_a_line_that_is_not_utf_8_names_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "stories.jsonl"
    file.write_bytes(b'{"text": "Good."}\n{"text": "caf\xe9"}\n')
    assert told(file).startswith(f"line 2 of {file} is not UTF-8: name the file's encoding with")
    assert "--corpus.encoding" in told(file)


def test_a_broken_line_far_into_a_file_is_named_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", 1000)
    file = write_jsonl(tmp_path / "stories.jsonl", [f"Story {n}." for n in range(500)])
    with file.open("ab") as stream:
        stream.write(b"no story\n")
    assert told(file).startswith(f"line 501 of {file} is not JSON")


def test_a_txt_file_that_is_not_utf_8(tmp_path: Path) -> None:
    file = tmp_path / "stories.txt"
    file.write_bytes("One.\n<|endoftext|>\nTwo caf\u00e9.".encode("latin-1"))
    assert told(file).startswith(f"line 3 of {file} is not UTF-8")


def test_nul_bytes_are_read(tmp_path: Path) -> None:
    file = tmp_path / "stories.txt"
    file.write_bytes(b"A\x00B.<|endoftext|>\x00")
    assert list(read_file(file)) == ["A\x00B.", "\x00"]


@pytest.mark.parametrize("name", ["stories.jsonl", "stories.txt"])
def test_a_50_mb_line_is_no_story(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    file.write_bytes(b'{"text": "' + b"once upon a time " * 3_000_000 + b'"}\n')
    wrong = "without the end of a story" if name.endswith("l") else "no <|endoftext|> marks"
    assert wrong in told(file)


@pytest.mark.parametrize("kind", ["gz", "zst"])
@pytest.mark.parametrize("left", [3, 400, -6])
def test_a_truncated_compressed_file(
    tmp_path: Path, stories: list[str], kind: str, left: int
) -> None:
    file = tmp_path / f"stories.txt.{kind}"
    pack = gzip.compress if kind == "gz" else zstandard.compress
    file.write_bytes(pack(MARK.join(stories).encode())[:left])
    assert "cannot be read to its end" in told(file)


def test_a_file_that_is_not_compressed_though_it_says_so(tmp_path: Path) -> None:
    file = tmp_path / "stories.txt.gz"
    file.write_bytes(b"Once upon a time.")
    assert "cannot be read to its end" in told(file)


def test_empty_rows_are_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "stories.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["A.", None, "B."]}), file)
    assert list(read_file(file)) == ["A.", "B."]


@pytest.mark.parametrize("content", [b"PAR1 and no more", b""])
def test_a_torn_parquet_file(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "stories.parquet"
    file.write_bytes(content)
    assert "is not a whole parquet file" in told(file)


@pytest.mark.parametrize("name", ["stories.docx", "stories", "stories.parquet.gz", "jsonl"])
def test_a_file_of_no_known_kind(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("Once upon a time.")
    assert "is of no known kind" in told(tmp_path / name)


def test_a_missing_file(tmp_path: Path) -> None:
    assert told(tmp_path / "missing.txt").startswith(f"there is no file {tmp_path}/missing.txt:")


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


def test_zeros_after_a_gzip_are_a_tapes_padding(tmp_path: Path) -> None:
    file = tmp_path / "stories.txt.gz"
    file.write_bytes(gzip.compress(b"One.<|endoftext|>Two.") + bytes(512))
    assert list(read_file(file)) == ["One.", "Two."]
