"""Names of data sets on the Hub, and the Hub's cache on a machine without a network."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub.constants
import pytest

from tests.trainer.corpus.hub import parquet
from trainer.corpus.read.hub import HUB, DataSet, data_set
from trainer.corpus.read.sources import open_source
from trainer.settings.corpus import DEFAULT_REVISION, Corpus

from .conftest import story

STORIES = [story(number) for number in range(30)]
COMMIT = "5" * 40


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("roneneldan/TinyStories", DataSet(HUB)),
        ("gpt4", DataSet("gpt4")),
        ("mine/tales", DataSet("mine/tales")),
        ("hf://mine/tales", DataSet("mine/tales")),
        ("hf://datasets/mine/tales", DataSet("mine/tales")),
        ("hf://datasets/mine/tales@v1", DataSet("mine/tales", "v1")),
        ("hf://datasets/mine/tales@v1/a/b.jsonl", DataSet("mine/tales", "v1", "a/b.jsonl")),
        ("https://huggingface.co/datasets/mine/tales", DataSet("mine/tales")),
        ("https://huggingface.co/datasets/mine/tales/", DataSet("mine/tales")),
        ("https://huggingface.co/datasets/mine/tales/tree/main", DataSet("mine/tales", "main")),
        (
            "https://huggingface.co/datasets/mine/tales/resolve/main/a%20b.jsonl?download=true",
            DataSet("mine/tales", "main", "a b.jsonl"),
        ),
        (
            "https://hf.co/datasets/mine/tales/blob/main/data/a.csv",
            DataSet("mine/tales", "main", "data/a.csv"),
        ),
        ("tales/mine.jsonl", None),
        ("tales/mine.zip", None),
        ("./mine/tales", None),
        ("~/tales", None),
        ("file:///tmp/tales", None),
    ],
)
def test_what_a_name_stands_for(name: str, meaning: DataSet | None) -> None:
    assert data_set(name) == meaning


@pytest.mark.parametrize("name", ["https://example.org/tales.jsonl", "s3://mine/tales"])
def test_an_address_elsewhere_is_refused_with_the_remedy(name: str) -> None:
    with pytest.raises(ValueError, match="download it and give the file's name"):
        data_set(name)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hub's cache of a machine without a network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def keep(cache: Path, name: str, commit: str, files: dict[str, bytes]) -> None:
    """Put files of a data set into the cache, as a download does."""
    folder = cache / f"datasets--{name.replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text(commit)
    for file, content in files.items():
        path = folder / "snapshots" / commit / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def read(source: str, **settings: str) -> tuple[list[str], object]:
    with open_source(Corpus(source=source, **settings)) as opened:
        return [s for chunk in opened.train() for s in chunk.stories()], opened.identity["train"]


def test_a_data_set_is_read_from_the_cache(cache: Path) -> None:
    files = {
        "README.md": b"Tales.",
        "data/train-00000-of-00002.parquet": parquet(STORIES[:10], "text"),
        "data/train-00001-of-00002.parquet": parquet(STORIES[10:20], "text"),
        "data/test-00000-of-00001.parquet": parquet(STORIES[20:], "text"),
    }
    keep(cache, "mine/tales", COMMIT, files)
    stories, identity = read("mine/tales")
    assert sorted(stories) == sorted(STORIES[:20])
    assert identity == ["mine/tales", COMMIT, "train", ""]
    assert read("https://huggingface.co/datasets/mine/tales", split="test")[0] == STORIES[20:]
    assert (
        read("hf://datasets/mine/tales@main/data/train-00000-of-00002.parquet")[0] == STORIES[:10]
    )


def test_tiny_stories_are_read_from_the_cache(cache: Path) -> None:
    content = "<|endoftext|>".join(STORIES)
    files = {
        "data/train-00000-of-00001-2d5a.parquet": parquet(STORIES, "text"),
        "TinyStoriesV2-GPT4-train.txt": content.encode(),
    }
    keep(cache, HUB, DEFAULT_REVISION, files)
    assert read(HUB) == (STORIES, [HUB, DEFAULT_REVISION])
    assert read("gpt4") == (STORIES, ["gpt4", DEFAULT_REVISION])


def test_a_cache_that_holds_a_part_only_is_not_the_data_set(cache: Path) -> None:
    files = {"data/train-00000-of-00002.parquet": parquet(STORIES, "text")}
    keep(cache, "mine/tales", COMMIT, files)
    for name in ("mine/tales", "mine/others", "hf://datasets/mine/tales@main/no.jsonl"):
        with pytest.raises(ValueError, match="the Hub's mine/.* cannot be read .*sample"):
            read(name)
