"""Where a file does not show its format, the error names the setting that does."""

from pathlib import Path

import datasets
import pyarrow
import pyarrow.parquet
import pytest

from trainer.corpus.read import text
from trainer.corpus.read.files import find_files
from trainer.corpus.read.formats import Format
from trainer.corpus.read.packing import StoryFile
from trainer.corpus.read.readers import read_files
from trainer.settings.corpus import Corpus

from .conftest import read_file


@pytest.mark.parametrize("split", [None, "train"])
def test_a_saved_data_set_is_read(tmp_path: Path, stories: list[str], split: str | None) -> None:
    saved = datasets.Dataset.from_dict({"text": stories})
    if split:
        saved = datasets.DatasetDict({"train": saved, "test": saved.select(range(3))})
    saved.save_to_disk(str(tmp_path / "saved"))
    (file,) = find_files(str(tmp_path / "saved")).train
    assert list(read_file(file.path)) == stories


def paths(names: str) -> list[Path]:
    return [file.path for file in find_files(names).train]


def test_folders_commas_spaces_and_the_home_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / "my stories, all"
    (folder / "more").mkdir(parents=True)
    for name in ("b.txt", "a.jsonl", "more/c.csv", "notes.md"):
        (folder / name).write_text('{"text": "A."}')
    wanted = [folder / "a.jsonl", folder / "b.txt", folder / "more" / "c.csv"]
    assert paths(str(folder)) == wanted
    assert paths("~/my stories, all") == wanted
    assert paths((folder / "a.jsonl").as_uri()) == [folder / "a.jsonl"]
    assert paths(str(folder / "b.txt")) == [folder / "b.txt"]
    monkeypatch.chdir(folder)
    assert paths("a.jsonl, b.txt") == [Path("a.jsonl"), Path("b.txt")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty holds no files of stories"):
        find_files(str(tmp_path / "empty"))
    with pytest.raises(ValueError, match="stories/mine.txt.*one that exists"):
        find_files("stories/mine.txt")
    with pytest.raises(ValueError, match="there is no file ~nobody-here/mine.txt"):
        find_files("~nobody-here/mine.txt")


@pytest.mark.parametrize(
    ("name", "content", "settings", "sentence"),
    [
        ("a.txt", "Tom ran. " * 9000, {}, "no <|endoftext|> marks between its stories: say how"),
        ("a.jsonl", '{"a": "x", "b": "y"}', {}, "several fields that may hold the stories"),
        ("a.jsonl", '{"n": 1}', {}, "no field with text (it has n): name the one"),
        ("a.jsonl", '{"text": "x"}', {"field": "story"}, "no field `story` (it has text)"),
        ("a.csv", "id,n\n1,2\n", {"field": "text"}, "--corpus.field"),
        ("a.json", '[{"text": "A."}, {"text": 3}]', {}, "entry 2 of"),
        ("a.json", '[{"text": "A."}, {"text"', {}, "entry 2 of"),
        ("a.json", '["A.", 3]', {}, "entry 2 of"),
        ("a.csv", 'text\n"A.\xff', {}, "is not UTF-8"),
    ],
)
def test_what_is_ambiguous_is_asked_for(
    name: str, content: str, settings: dict[str, str], sentence: str, tmp_path: Path
) -> None:
    file = tmp_path / name
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError) as raised:
        list(read_file(file, Corpus(**settings)))
    assert sentence in str(raised.value)
    assert str(file) in str(raised.value)


def form_of(file: Path, **settings: str) -> Format:
    (form,) = [reading.form for reading in read_files([StoryFile(file)], Corpus(**settings))]
    return form


def test_a_parquet_file_whose_field_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "stories.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": [1, 2], "a": ["x", "y"]}), file)
    with pytest.raises(ValueError, match="has no text in a field `text`"):
        form_of(file, field="text")
    assert form_of(file) == Format("parquet", "a")


def test_a_long_text_that_is_one_story_is_read_when_asked_to(tmp_path: Path) -> None:
    file = tmp_path / "novel.txt"
    file.write_text("Tom ran. " * 9000)
    assert len(file.read_bytes()) > text.ONE_STORY
    assert len(list(read_file(file, Corpus(separator="file")))) == 1


def test_plain_files_are_what_they_were_and_other_ways_to_read_are_other_stores() -> None:
    assert Format("jsonl").to_json() == {"kind": "jsonl"}
    assert Format("txt", "").to_json() == {"kind": "txt"}
    assert Format("parquet").to_json() == {"kind": "parquet"}
    assert Format("jsonl", "story").to_json() == {"kind": "jsonl", "field": "story"}
    assert Format("txt", "", "line").to_json() == {"kind": "txt", "separator": "line"}
