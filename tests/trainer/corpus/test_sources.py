"""Sources: what a name stands for, and what identifies it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import datasets
import pytest

from tests.paths import ROOT
from trainer.corpus import build_store
from trainer.corpus.read.files import find_files
from trainer.corpus.read.sources import open_source
from trainer.corpus.store.token_store import open_store
from trainer.settings.corpus import Corpus

from . import hub
from .conftest import write_jsonl

Settings = Callable[..., Corpus]


def read(settings: Corpus) -> tuple[dict[str, object], list[str], list[str] | None]:
    with open_source(settings) as source:
        apart = source.validation and [s for chunk in source.validation() for s in chunk.stories()]
        return source.identity, [s for chunk in source.train() for s in chunk.stories()], apart


def test_files_and_patterns_in_their_order(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    for number in (2, 0, 1):
        write_jsonl(tmp_path / f"part-{number}.jsonl", stories[number * 10 : number * 10 + 10])
    (tmp_path / "last.txt").write_text("The end.")
    _, found, apart = read(settings(f"{tmp_path}/part-*.jsonl,{tmp_path}/last.txt"))
    assert found == [*stories[:30], "The end."]
    assert apart is None


def test_a_validation_file_is_a_part_of_its_own(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    train = write_jsonl(tmp_path / "train.jsonl", stories[:50])
    valid = write_jsonl(tmp_path / "valid.jsonl", stories[50:])
    _, found, apart = read(settings(train, validation=str(valid)))
    assert (found, apart) == (stories[:50], stories[50:])


def test_the_sample_ships(settings: Settings) -> None:
    assert len(read(settings("sample"))[1]) >= 25


def test_a_source_is_known_by_its_bytes_not_its_name(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    one = write_jsonl(tmp_path / "one.jsonl", stories)
    other = write_jsonl(tmp_path / "other.jsonl", stories)
    assert read(settings(one))[0] == read(settings(other))[0]
    content = bytearray(other.read_bytes())
    content[500] ^= 1
    other.write_bytes(content)
    assert read(settings(one))[0] != read(settings(other))[0]


@pytest.mark.process
@pytest.mark.parametrize("kind", ["jsonl", "txt"])
def test_standard_input(tmp_path: Path, stories: list[str], kind: str) -> None:
    file = write_jsonl(tmp_path / "stories.jsonl", stories)
    if kind == "txt":
        file.write_text("<|endoftext|>".join(stories))
    with file.open("rb") as stdin:
        done = subprocess.run(
            build_from_stdin(tmp_path / "data"),
            stdin=stdin,
            cwd=ROOT,
            capture_output=True,
            text=True,
        )
    assert done.returncode == 0, done.stderr
    left = [path.name for path in (tmp_path / "data").iterdir() if path.suffix != ".lock"]
    assert len(left) == 1
    assert left[0].startswith("stdin-")


def build_from_stdin(folder: Path) -> list[str]:
    program = [sys.executable, "-m", "trainer.corpus", "build", "--corpus.source", "-"]
    return [*program, "--corpus.folder", str(folder)]


@pytest.mark.process
def test_a_copy_of_standard_input_goes_with_the_next_build(
    tmp_path: Path, settings: Settings
) -> None:
    home = tmp_path / "data"
    with subprocess.Popen(build_from_stdin(home), stdin=subprocess.PIPE, cwd=ROOT) as process:
        assert process.stdin is not None
        process.stdin.write(b"Once upon a time. " * 500_000)
        process.stdin.flush()
        while not (copies := list(home.glob("stdin-*.txt"))):
            assert process.poll() is None
        with open_source(settings("sample")):
            assert copies[0].is_file()  # of a process that lives
        process.kill()
    assert copies[0].is_file()
    (home / "stdin-mine.txt").write_text("Once upon a time.")
    with open_source(settings("sample")):
        assert [path.name for path in home.iterdir()] == ["stdin-mine.txt"]


@pytest.mark.process
def test_standard_input_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    memory = os.open("/proc/self/mem", os.O_RDONLY)  # reading it fails
    for keys in ({"stdin": memory}, {"preexec_fn": lambda: os.close(0)}):
        done = subprocess.run(
            build_from_stdin(tmp_path / "data"), cwd=ROOT, capture_output=True, text=True, **keys
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("error: standard input cannot be read")
    os.close(memory)
    assert not (tmp_path / "data").exists()


def test_an_input_that_cannot_be_read_is_named_and_not_the_output(
    tmp_path: Path, settings: Settings
) -> None:
    (tmp_path / "memory.txt").symlink_to("/proc/self/mem")  # reading it fails, for root as well
    for name in (str(tmp_path / "memory.txt"), "x" * 300 + ".txt"):
        with pytest.raises(ValueError, match=rf"^{name} cannot be read"):
            build_store(settings(name))


@pytest.mark.parametrize(
    ("name", "wrong"),
    [("missing.jsonl", "there is no file"), ("*.jsonl", "there is no file"), ("a.doc", "kind")],
)
def test_a_name_that_stands_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, wrong: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.doc").write_text("text\n")
    with pytest.raises(ValueError, match=wrong):
        find_files(name)


def build_from_hub(source: str, folder: Path, **hub: str) -> subprocess.CompletedProcess[str]:
    """A process that builds from a Hub of its own."""
    keys = ["--corpus.source", source, "--corpus.folder", str(folder / "data")]
    return subprocess.run(
        [sys.executable, "-m", "trainer.corpus", "build", *keys],
        cwd=ROOT,
        env=os.environ | {"HF_HOME": str(folder / "hf")} | hub,
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.process
@pytest.mark.parametrize("source", ["roneneldan/TinyStories", "gpt4"])
def test_both_versions_from_a_hub(tmp_path: Path, stories: list[str], source: str) -> None:
    first = {"train": stories[:70], "validation": stories[70:80]}
    second = {"train": stories[100:190], "validation": stories[190:]}
    with hub.serve(first, second) as (address, commits):
        done = build_from_hub(source, tmp_path, HF_ENDPOINT=address)
        assert done.returncode == 0, done.stderr
        assert commits == {Corpus().revision}
        store = open_store(done.stdout.partition(":")[0])
        wanted = second if source == "gpt4" else first
        assert {name: list(store.stories(name)) for name in wanted} == wanted
        assert store.info["recipe"]["source"] == {"train": [source, Corpus().revision]}


@pytest.mark.process
def test_a_data_set_of_a_hub_is_inspected(tmp_path: Path, stories: list[str]) -> None:
    parts = {"train": stories[:70], "validation": stories[70:80]}
    with hub.serve(parts, parts) as (address, _):
        command = [sys.executable, "-m", "trainer.corpus", "inspect", "roneneldan/TinyStories"]
        env = os.environ | {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": address}
        done = subprocess.run(
            [*command, "--json"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert [(file["split"], file["stories"]) for file in found["files"]] == [
        ("train", 70),
        ("validation", 10),
    ]
    assert found["files"][0]["details"] == [["kind", "data set on the Hub"]]


@pytest.mark.process
@pytest.mark.parametrize("source", ["roneneldan/TinyStories", "gpt4"])
@pytest.mark.parametrize(
    "without", [{"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}]
)
def test_without_the_hub_one_message_names_both_remedies(
    tmp_path: Path, source: str, without: dict[str, str]
) -> None:
    done = build_from_hub(source, tmp_path, **without)
    assert done.returncode == 2
    message = done.stderr
    assert len(message.splitlines()) == 1
    assert message.startswith("error: the Hub's roneneldan/TinyStories cannot be read")
    assert "--corpus.source FILE" in message
    assert "--corpus.source sample" in message
    assert not [file for file in (tmp_path / "data").rglob("*") if file.suffix != ".lock"]


@pytest.mark.process
def test_a_hub_that_fails_later_is_tried_again_without_a_word(tmp_path: Path) -> None:
    with hub.serve({}, {}, failing=True) as (address, _):
        done = build_from_hub("gpt4", tmp_path, HF_ENDPOINT=address)
    assert done.returncode == 2
    *bar, message = done.stderr.strip().splitlines()
    assert all(line.startswith("building the corpus") for line in bar if line)
    assert message.startswith("error: the Hub's roneneldan/TinyStories cannot be read")


@pytest.mark.process
def test_any_data_set_on_the_hub(tmp_path: Path, stories: list[str]) -> None:
    """Another than TinyStories, at its newest commit; `story` is its only column of text."""
    first = {"train": stories[:70], "test": stories[70:80]}
    with hub.serve(first, {}, name="mine/tales", column="story") as (address, commits):
        keys = {"HF_ENDPOINT": address}
        done = build_from_hub("mine/tales", tmp_path, **keys)
        assert done.returncode == 0, done.stderr
        assert commits == {hub.NEWEST}
    store = open_store(done.stdout.partition(":")[0])
    assert store.info["recipe"]["source"] == {"train": ["mine/tales", hub.NEWEST, "train", ""]}
    both = [*store.stories("train"), *store.stories("validation")]
    assert sorted(both) == sorted(stories[:70])


def test_a_data_set_that_is_not_there_is_no_missing_file(settings: Settings) -> None:
    with pytest.raises(ValueError, match="the Hub's mine/tales cannot be read"):
        build_store(settings("mine/tales"))
    with pytest.raises(ValueError, match="there is no file tales/mine.jsonl"):
        build_store(settings("tales/mine.jsonl"))


def test_standard_input_and_several_processes(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match="can be read by one process only: build the store first"):
        build_store(settings("-"))


def test_a_file_whose_name_is_no_utf_8(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    file = tmp_path / os.fsdecode(b"caf\xe9.jsonl")
    write_jsonl(file, stories)
    assert build_store(settings(file)).info["name"] == "caf\ufffd.jsonl"


def test_an_end_mark_inside_a_story_is_no_end(tmp_path: Path, settings: Settings) -> None:
    file = write_jsonl(tmp_path / "a.jsonl", ["A dog ran home.<|endoftext|>He was very happy."] * 2)
    store = build_store(settings(file, markup=False, validation_share=0))
    assert list(store.stories("train")) == ["A dog ran home. He was very happy."]


def test_a_saved_data_set_brings_its_own_validation(
    tmp_path: Path, stories: list[str], settings: Settings
) -> None:
    part = datasets.Dataset.from_dict({"text": stories[:50]})
    other = datasets.Dataset.from_dict({"text": stories[50:60]})
    saved = datasets.DatasetDict({"train": part, "validation": other})
    saved.save_to_disk(str(tmp_path / "saved"))
    _, found, apart = read(settings(tmp_path / "saved"))
    assert (found, apart) == (stories[:50], stories[50:60])
