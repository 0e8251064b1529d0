"""The same stories in the layouts that people have: the same stories, or one message.

The kinds are those of public reports."""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import json
import lzma
import tarfile
import textwrap
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import datasets
import pyarrow
import pyarrow.parquet
import pytest
import zstandard

from tests.paths import ROOT
from trainer.corpus.read import chunks, columns, separated_values
from trainer.corpus.read.files import find_files
from trainer.corpus.read.sources import open_source
from trainer.settings.corpus import Corpus

from .conftest import read_file, story, write_jsonl

STORIES = [story(number) for number in range(60)]
SPEECH = ['"One day," said Mia. ' + text.replace("\n", " ") for text in STORIES]
FLAT = [text.replace("\n", " ") for text in STORIES]
REAL = ROOT.parent / "shared" / "data" / "train.jsonl"


def read(file: Path, **settings: str) -> list[str]:
    return list(read_file(file, Corpus(**settings)))


def table(
    rows: Iterable[Iterable[Any]], head: list[str] | None, delimiter: str, end: str = "\r\n"
) -> str:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end)
    writer.writerows([*([head] if head else []), *rows])
    return text.getvalue()


def numbered(stories: list[str]) -> list[tuple[int, str]]:
    return list(enumerate(stories))


def lines(rows: Iterable[Any], **keys: Any) -> str:
    return "".join(json.dumps(row, **keys) + "\n" for row in rows)


def chat(text: str, number: int) -> dict[str, Any]:
    messages = [
        {"role": "user", "content": "Tell me a story."},
        {"role": "assistant", "content": text},
    ]
    return {"id": f"chatcmpl-{number:032x}", "messages": messages, "source": "by a person, kindly"}


TABLE_HEAD = ["nr", "text", "level"]
ROWS = [(number, text, "A2") for number, text in enumerate(STORIES)]
LINES = lines({"text": s} for s in STORIES).encode()
SHORT = table(ROWS[:5], TABLE_HEAD, ",") + "11\r\n\r\n,\r\n" + table(ROWS[5:], None, ",")

SAME: dict[str, tuple[str, str | bytes, dict[str, str]]] = {
    "semicolons": ("a.csv", "\ufeff" + table(ROWS, TABLE_HEAD, ";"), {}),
    "tabs": ("a.csv", table(ROWS, TABLE_HEAD, "\t"), {}),
    "bars in tsv": ("a.tsv", table(ROWS, TABLE_HEAD, "|"), {}),
    "sep line": ("a.csv", "sep=;\r\n" + table(ROWS, TABLE_HEAD, ";"), {}),
    "asked for": ("a.csv", table(ROWS, TABLE_HEAD, "~"), {"delimiter": "~"}),
    "no head": ("a.csv", table(([s] for s in STORIES), None, ","), {}),
    "no head, numbers": ("a.csv", table(ROWS, None, ";"), {}),
    "index": ("a.csv", table(numbered(STORIES), ["", "text"], ","), {}),
    "carriage returns": (
        "a.csv",
        table(numbered(STORIES), ["nr", "text"], ",").replace("\r\n", "\n").replace("\n", "\r"),
        {},
    ),
    "utf-16": ("a.csv", table(ROWS, TABLE_HEAD, ",").encode("utf-16"), {}),
    "utf-16 without mark": ("a.csv", table(ROWS, TABLE_HEAD, ",").encode("utf-16-le"), {}),
    "utf-16 text": ("a.txt", "<|endoftext|>".join(STORIES).encode("utf-16"), {}),
    "one column without marks": ("a.csv", "text\n" + "\n".join(["Once, " + s for s in FLAT]), {}),
    "question for a head": (
        "a.csv",
        table(numbered(STORIES), ["id", "What is your story? Please write it here."], ","),
        {},
    ),
    "pretty": ("a.jsonl", lines(({"text": s} for s in STORIES), indent=2), {}),
    "array": ("a.jsonl", json.dumps([{"text": s} for s in STORIES]), {}),
    "two arrays": ("a.jsonl", lines([STORIES[:9], STORIES[9:]]), {}),
    "texts": ("a.jsonl", lines(STORIES), {}),
    "wrapped": ("a.json", json.dumps({"version": "1", "data": [{"text": s} for s in STORIES]}), {}),
    "columns": ("a.json", json.dumps({"text": dict(enumerate(STORIES))}, indent=1), {}),
    "column lists": ("a.json", json.dumps({"text": STORIES}), {}),
    "nested": ("a.jsonl", lines({"data": {"text": s}, "lang": "en"} for s in STORIES), {}),
    "nested field": (
        "a.jsonl",
        lines({"data": {"text": s, "title": s[:40]}} for s in STORIES),
        {"field": "data.text"},
    ),
    "messages": (
        "a.jsonl",
        lines(chat(text, number) for number, text in enumerate(STORIES)),
        {"field": "messages.-1.content"},
    ),
    "nan": ("a.jsonl", "".join(f'{{"text": {json.dumps(s)}, "n": NaN}}\n' for s in STORIES), {}),
    "instructions": (
        "a.json",
        json.dumps([{"instruction": "Write one.", "input": "", "output": s} for s in STORIES]),
        {},
    ),
    "capital letter": ("a.jsonl", lines({"Title": s[:30], "Text": s} for s in STORIES), {}),
    "short rows": ("a.csv", SHORT, {}),
    "other mark": (
        "a.txt",
        "\n<|end_of_text|>\n".join(STORIES),
        {"separator": "<|end_of_text|>"},
    ),
    "dashes": ("a.txt", "\r\n\r\n---\r\n\r\n".join(STORIES), {"separator": "---"}),
    "gzip named jsonl": ("a.jsonl", gzip.compress(LINES), {}),
    "jsonl": ("a.jsonl", lines({"text": s, "more": 1} for s in STORIES), {}),
    "gzip in parts": ("a.jsonl.gz", gzip.compress(LINES[:5000]) + gzip.compress(LINES[5000:]), {}),
    "zstandard": ("a.jsonl.zst", zstandard.compress(LINES), {}),
    "marks": ("a.txt", "\n<|endoftext|>\n".join(STORIES), {}),
    "marks, gzip": ("a.txt.gz", gzip.compress("\n<|endoftext|>\n".join(STORIES).encode()), {}),
    "array of objects": (  # as in TinyStories_all_data
        "a.json",
        json.dumps([{"story": s, "instruction": {"words": ["a"]}, "n": "4"} for s in STORIES]),
        {},
    ),
    "array of texts": ("a.json", json.dumps(STORIES), {}),
    "json with a line each": ("a.json", lines({"story": s} for s in STORIES), {}),
    "ndjson": ("a.ndjson", lines({"story": s} for s in STORIES), {}),
    "csv": ("a.csv", "\ufeff" + table(numbered(STORIES), ["id", "content"], ","), {}),
    "tsv": ("a.tsv", table(numbered(STORIES), ["id", "content"], "\t"), {"field": "content"}),
    "a line each": ("a.txt", "\n".join(FLAT), {"separator": "line"}),
    "empty lines": ("a.txt", "\r\n\r\n".join(FLAT), {"separator": "empty-line"}),
    "xz": ("a.txt.xz", lzma.compress("<|endoftext|>".join(STORIES).encode()), {}),
    "bzip2": ("a.csv.bz2", bz2.compress(table(ROWS, TABLE_HEAD, ",").encode()), {}),
}


@pytest.mark.parametrize("chunk", [chunks.CHUNK_BYTES, 1000])
@pytest.mark.parametrize("layout", SAME)
def test_a_layout_gives_the_same_stories(
    layout: str, chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chunks, "CHUNK_BYTES", chunk)
    name, content, settings = SAME[layout]
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    stories = [text.strip() for text in read(file, **settings)]
    wanted = FLAT if "line" in settings.get("separator", "") else STORIES
    wanted = [f"Once, {text}" for text in FLAT] if layout.startswith("one column") else wanted
    assert list(filter(None, stories)) == wanted


MESSAGES: dict[str, tuple[str, str, str]] = {
    "messages": (
        "a.jsonl",
        lines(chat(text, number) for number, text in enumerate(STORIES)),
        "--corpus.field messages.*.content (every entry of the list) or messages.-1.content",
    ),
    "title and passage": (
        "a.jsonl",
        lines({"title": s[:30], "passage": s} for s in STORIES),
        "several fields that may hold the stories (it has title, passage)",
    ),
    "dashes": ("a.txt", "\n\n---\n\n".join(STORIES * 3), "--corpus.separator='---'"),
    "other mark": ("a.txt", "\n</s>\n".join(STORIES * 3), "--corpus.separator='</s>', which"),
    "a list": ("a.jsonl", lines({"text": [s, s]} for s in STORIES), "text.*"),
    "pointer": (
        "a.jsonl",
        "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
        "git lfs pull",
    ),
}


@pytest.mark.parametrize("layout", MESSAGES)
def test_a_message_names_the_remedy(layout: str, tmp_path: Path) -> None:
    name, content, remedy = MESSAGES[layout]
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError) as raised:
        read(tmp_path / name)
    assert remedy in str(raised.value)
    assert str(tmp_path / name) in str(raised.value)


def test_another_encoding_is_named_by_the_setting(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes("<|endoftext|>".join(["Ein Käse.", "Zwei Käse."]).encode("cp1252"))
    assert read(file, encoding="cp1252") == ["Ein Käse.", "Zwei Käse."]
    with pytest.raises(ValueError, match="name its encoding with --corpus.encoding"):
        read(file, encoding="utf-16")
    assert Corpus(encoding="klingon", delimiter=";;").complaints() == [
        "corpus.delimiter must be auto, tab or one character, not ';;'",
        "corpus.encoding must be auto or an encoding that Python knows, such as utf-8, utf-16,"
        " cp1252 or gb18030, not 'klingon'",
    ]


@pytest.mark.parametrize("null", [0, 30, 59])
def test_a_known_field_wins_though_it_is_null_somewhere(null: int, tmp_path: Path) -> None:
    rows = [{"title": text[:40], "text": text} for text in STORIES]
    rows[null]["text"] = None
    wanted = STORIES[:null] + STORIES[null + 1 :]
    assert list(read(write_rows(tmp_path / "a.jsonl", rows))) == wanted
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert list(read(tmp_path / "a.json")) == wanted
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    assert list(read(tmp_path / "a.parquet")) == wanted


def write_rows(file: Path, rows: Iterable[Any]) -> Path:
    file.write_text(lines(rows))
    return file


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_quotation_marks_of_the_stories_stay(end: str, tmp_path: Path) -> None:
    file = tmp_path / "a.tsv"
    body = "".join(f"{number}\t{text}{end}" for number, text in enumerate(SPEECH))
    file.write_text(f"id\ttext{end}{body}", newline="")
    assert read(file) == SPEECH
    file.write_text(table(numbered(SPEECH), ["id", "text"], "\t"), newline="")
    assert read(file) == SPEECH


def test_quoting_is_judged_by_what_a_writer_would_quote() -> None:
    assert separated_values.is_quoted('a,b\n1,"He said ""hi"", and left."\n', ",")
    assert separated_values.is_quoted("a,b\n1,2\n", ",")
    assert not separated_values.is_quoted('a\tb\n1\tHe said "hi".\n', "\t")
    assert not separated_values.is_quoted(
        'a\tb\n1\t"Hi," he said.\n2\t"Hello."\n3\t"No," she said.\n', "\t"
    )


PARTS = {"train": STORIES[:40], "valid": STORIES[40:50], "test": STORIES[50:]}


def split_of_source(source: Path | str, **settings: str) -> tuple[list[str], list[str], str]:
    with open_source(Corpus(source=str(source), **settings)) as opened:
        train = [text for chunk in opened.train() for text in chunk.stories()]
        chunks = opened.validation() if opened.validation else []
        return train, [text for chunk in chunks for text in chunk.stories()], opened.notes[0]


@pytest.mark.parametrize(
    "names",
    [
        "{}.jsonl",
        "{}/a.jsonl",
        "{}-00000-of-00001.jsonl",
        "my_stories-{}.jsonl",
        "data/{}-00000-of-00003.jsonl",
    ],
)
def test_names_of_splits_are_honoured(names: str, tmp_path: Path) -> None:
    for split, stories in PARTS.items():
        file = tmp_path / "here" / names.format(split)
        file.parent.mkdir(parents=True, exist_ok=True)
        write_jsonl(file, stories)
    folder = tmp_path / "here"
    train, validation, note = split_of_source(folder)
    assert (train, validation) == (PARTS["train"], PARTS["valid"])
    assert "trained on" in note
    assert "validated on" in note
    assert "left out" in note
    everything = split_of_source(folder, split="all")[0]
    assert sorted(everything) == sorted(STORIES)
    assert split_of_source(folder, split="test")[:2] == (PARTS["test"], [])
    assert split_of_source(f"{folder}/**/*.jsonl")[0] == PARTS["train"]
    others = write_jsonl(tmp_path / "others.jsonl", STORIES[:3])
    assert split_of_source(folder, validation=str(others))[:2] == (PARTS["train"], STORIES[:3])


def test_a_file_that_is_named_is_read_whatever_it_is_called(tmp_path: Path) -> None:
    for split, stories in PARTS.items():
        write_jsonl(tmp_path / f"{split}.jsonl", stories)
    names = ",".join(str(tmp_path / f"{split}.jsonl") for split in PARTS)
    assert split_of_source(names)[0] == STORIES
    (tmp_path / "train.jsonl").unlink()
    with pytest.raises(ValueError, match="no split train: name .* --corpus.split test or valid"):
        find_files(str(tmp_path))
    (tmp_path / "valid.jsonl").unlink()
    train, _, note = split_of_source(tmp_path)
    assert train == PARTS["test"]
    assert "has the split test alone, which is trained on" in note


def packed_lines(part: slice) -> bytes:
    return lines({"text": text} for text in STORIES[part]).encode()


def test_packed_files_in_a_folder_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_bytes(packed_lines(slice(0, 10)))
    (tmp_path / "b.jsonl.gz").write_bytes(gzip.compress(packed_lines(slice(10, 20))))
    (tmp_path / "c.jsonl.xz").write_bytes(lzma.compress(packed_lines(slice(20, 30))))
    (tmp_path / "d.jsonl.bz2").write_bytes(bz2.compress(packed_lines(slice(30, 40))))
    with zipfile.ZipFile(tmp_path / "e.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("e.jsonl", packed_lines(slice(40, 50)))
        archive.writestr("__MACOSX/._e.jsonl", b"\0\5")
    (tmp_path / "notes.docx").write_bytes(b"PK")
    with tarfile.open(tmp_path / "f.tar.gz", "w:gz") as tar:
        for name, part in (("x/f.jsonl", slice(50, 55)), ("x/g.jsonl", slice(55, 60))):
            member = tarfile.TarInfo(name)
            member.size = len(packed_lines(part))
            tar.addfile(member, io.BytesIO(packed_lines(part)))
    train, _, note = split_of_source(tmp_path)
    assert train == STORIES
    assert note == "skipped, of no known kind: notes.docx"
    assert split_of_source(f"{tmp_path}/*.*z*,{tmp_path}/e.zip,{tmp_path}/e.zip")[0] == (
        STORIES[10:] + STORIES[40:50] * 2
    )
    (tmp_path / "e.zip").write_bytes(b"PK\3\4 and no more")
    with pytest.raises(ValueError, match=r"e.zip cannot be read to its end"):
        find_files(str(tmp_path))


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_splits_inside_an_archive(mode: Any, tmp_path: Path) -> None:
    file = tmp_path / f"all.tar{'.' * (len(mode) > 1)}{mode[2:]}"
    with tarfile.open(file, mode) as tar:
        for split, stories in PARTS.items():
            content = lines({"text": text} for text in stories).encode()
            member = tarfile.TarInfo(f"data/{split}.jsonl")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert split_of_source(file)[:2] == (PARTS["train"], PARTS["valid"])


KINDS = ["string_view", "dictionary", "large_string", "large_binary", "binary", "list", "struct"]


@pytest.mark.parametrize("kind", [*KINDS, "large_list"])
def test_columns_of_texts_bytes_lists_and_structs(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (chunks, columns):
        monkeypatch.setattr(module, "ROWS", 30)
    file = tmp_path / "a.parquet"
    texts = pyarrow.array(STORIES)
    arrays: dict[str, pyarrow.Array] = {
        "string_view": texts.cast(pyarrow.string_view()),  # as polars writes it
        "dictionary": texts.dictionary_encode(),
        "large_string": texts.cast(pyarrow.large_string()),
        "binary": pyarrow.array([text.encode() for text in STORIES], pyarrow.binary()),
        "large_binary": pyarrow.array([text.encode() for text in STORIES], pyarrow.large_binary()),
        "list": pyarrow.array([[text, None] for text in STORIES]),
        "large_list": pyarrow.array([[s] for s in STORIES], pyarrow.large_list(pyarrow.string())),
        "struct": pyarrow.array([{"text": text, "lang": "en"} for text in STORIES]),
    }
    table = pyarrow.table({"data": arrays[kind], "n": range(60)})
    pyarrow.parquet.write_table(table, file, row_group_size=37)
    if "list" in kind:
        with pytest.raises(ValueError, match=r"--corpus.field data\.\* \(every entry of the list"):
            read(file)
    field = {"list": "data.0", "large_list": "data.*", "struct": "data.text"}.get(kind, "")
    assert read(file, field=field) == STORIES


def test_a_book_is_read_without_header_licence_and_wrapping(tmp_path: Path) -> None:
    file = tmp_path / "book.txt"
    verse = "Twinkle, twinkle,\nlittle star,\nhow I wonder\nwhat you are."
    body = "\n\n".join(textwrap.fill(text, 70) for text in FLAT)
    book = (
        "The Project Gutenberg eBook of Tales\n\nThis eBook is for the use of anyone.\n\n"
        "*** START OF THE PROJECT GUTENBERG EBOOK TALES ***\n\n\n"
        f"{body}\n\n{verse}\n\n*** END OF THE PROJECT GUTENBERG EBOOK TALES ***\n\nDonations.\n"
    )
    file.write_text("\ufeff" + book.replace("\n", "\r\n"), newline="", encoding="utf-8")
    stories = [text.strip() for text in read(file, separator="empty-line")]
    assert stories == [*FLAT, verse]
    kept = [text.strip() for text in read(file, separator="empty-line", unwrap="off")]
    assert kept == [*(textwrap.fill(text, 70) for text in FLAT), verse]
    two = tmp_path / "two.txt"
    two.write_text(book * 2, encoding="utf-8")
    assert [s.strip() for s in read(two, separator="empty-line")] == [*FLAT, verse] * 2


@pytest.mark.parametrize("width", [0, 40])
def test_lines_that_were_not_wrapped_stay(width: int, tmp_path: Path) -> None:
    """A sentence a line, and a poem of lines of about one length."""
    sentences = [f"This is sentence number {number} of the tale." for number in range(30)]
    poem = ["and the wind it blew and blew", "over the hills so far", "till the sun"] * 10
    for text in ("\n".join(sentences), "\n".join(poem)):
        (tmp_path / "a.txt").write_text(text)
        assert read(tmp_path / "a.txt") == [text]


def test_a_book_of_20_mb_is_one_story_when_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "book.txt"
    file.write_bytes(b"Once upon a time. " * 1_200_000)
    (story,) = read(file, separator="file")
    assert len(story) == 18 * 1_200_000


def test_clones_and_caches_of_the_library(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    (clone / "data").mkdir(parents=True)
    (clone / "dataset_infos.json").write_text('{"default": {"description": "Tales."}}')
    (clone / "README.md").write_text("Tales.")
    for split, stories in (("train", STORIES[:50]), ("test", STORIES[50:])):
        part = clone / "data" / f"{split}-00000-of-00001.parquet"
        pyarrow.parquet.write_table(pyarrow.table({"text": stories}), part)
    assert split_of_source(clone)[0] == STORIES[:50]
    cache = tmp_path / "cache"
    cached = datasets.load_dataset(str(clone / "data"), cache_dir=str(cache))
    cached["train"].filter(lambda row: "drum" in row["text"], load_from_cache_file=False)
    (folder,) = {file.parent for file in cache.rglob("*.arrow")}
    assert split_of_source(folder)[0] == STORIES[:50]
    assert split_of_source(cache)[0] == STORIES[:50]


def test_a_dataset_dict_without_train(tmp_path: Path) -> None:
    part = datasets.Dataset.from_dict({"text": STORIES[:9]})
    datasets.DatasetDict({"en": part, "fr": part}).save_to_disk(str(tmp_path / "two"))
    with pytest.raises(ValueError, match="has no split train: .* --corpus.split en or fr"):
        find_files(str(tmp_path / "two"))
    assert split_of_source(tmp_path / "two", split="fr")[0] == STORIES[:9]
    datasets.DatasetDict({"tales": part}).save_to_disk(str(tmp_path / "one"))
    assert split_of_source(tmp_path / "one")[0] == STORIES[:9]


@pytest.mark.skipif(not REAL.is_file(), reason="needs the real stories of shared/data")
@pytest.mark.parametrize("layout", ["semicolons", "wrapped", "tabs", "xz"])
def test_four_hundred_real_stories_stay_as_they_are(layout: str, tmp_path: Path) -> None:
    with REAL.open(encoding="utf-8") as stream:
        stories = [json.loads(next(stream))["text"] for _ in range(400)]
    forms: dict[str, tuple[str, bytes]] = {
        "semicolons": ("a.csv", table(numbered(stories), ["nr", "text"], ";").encode()),
        "tabs": ("a.tsv", table(numbered(stories), ["nr", "text"], "\t").encode()),
        "wrapped": ("a.json", json.dumps({"data": [{"text": s} for s in stories]}).encode()),
        "xz": ("a.jsonl.xz", lzma.compress(lines({"text": s} for s in stories).encode())),
    }
    name, content = forms[layout]
    (tmp_path / name).write_bytes(content)
    assert read(tmp_path / name) == stories
