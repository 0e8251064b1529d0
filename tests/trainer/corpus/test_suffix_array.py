"""The index of a store: its files, and how it is built and checked."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.trainer.corpus.conftest import write_jsonl
from trainer.corpus.__main__ import main
from trainer.corpus.store import run_filter
from trainer.corpus.store.build import build_store
from trainer.corpus.store.run_filter import build_filter
from trainer.corpus.store.suffix_array import build_index, parts, verify_index
from trainer.corpus.store.token_store import TokenStore
from trainer.settings.corpus import Corpus
from trainer.storage import checksummed_json

Settings = Callable[..., Corpus]


@pytest.fixture
def store(settings: Settings, stories: list[str], tmp_path: Path) -> TokenStore:
    file = write_jsonl(tmp_path / "stories.jsonl", stories)
    return build_store(settings(file))


def test_suffixes_are_in_the_order_of_the_bytes_that_follow(store: TokenStore) -> None:
    folder = build_index(store, part=3_000)
    sizes = parts_of(folder)
    tokens = np.array(store.split("train"))
    assert len(sizes) > 2
    suffixes = np.fromfile(folder / "suffixes.bin", "<u4")
    first = 0
    for size in sizes:
        ids = tokens[first : first + size]
        data = ids.tobytes()
        assert suffixes[first : first + size].tolist() == sorted(
            range(size), key=lambda place: data[2 * place :]
        )
        assert ids[-1] == store.tokenizer.end_of_text
        first += size
    assert first == len(tokens)


def test_stories_begin_where_the_one_before_has_ended(store: TokenStore) -> None:
    folder = build_index(store, part=3_000)
    starts = np.fromfile(folder / "stories.bin", "<i8")
    tokens = store.split("train")
    assert len(starts) == store.num_stories("train")
    assert starts[0] == 0
    assert (tokens[starts[1:] - 1] == store.tokenizer.end_of_text).all()
    assert (folder / "tokenizer.json").read_bytes() == store.tokenizer.content


def parts_of(folder: Path) -> list[int]:
    return checksummed_json.loads((folder / "index.json").read_text(encoding="utf-8"))["parts"]


def test_a_part_grows_for_a_story_that_is_longer(tmp_path: Path) -> None:
    ids = np.array([1, 0, *[1] * 10, 0, 1, 1, 0, 1, 0], dtype="<u2")
    ids.tofile(tmp_path / "tokens.bin")
    for size, lengths in ((4, [2, 16]), (12, [2, 11, 5]), (100, [18])):
        found = list(parts(tmp_path / "tokens.bin", 0, size))
        assert [len(part) for part in found] == lengths
        assert np.concatenate(found).tolist() == ids.tolist()


def test_another_index_takes_the_place_of_the_first(store: TokenStore) -> None:
    folder = build_index(store, part=3_000)
    assert verify_index(store) > 0
    assert len(parts_of(folder)) > 2
    build_index(store)
    assert len(parts_of(folder)) == 1
    assert {path.name for path in store.folder.iterdir()} >= {"index", "store.json", "train"}
    assert not list(store.folder.glob("*.partial"))


def test_a_build_that_fails_leaves_what_was_there(
    store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = build_index(store)
    before = (folder / "index.json").read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("trainer.corpus.store.suffix_array.write_suffixes", full)
    with pytest.raises(ValueError, match=r"cannot be written \(No space left on device\)"):
        build_index(store)
    assert (folder / "index.json").read_bytes() == before
    assert not list(store.folder.glob("*.partial"))


def test_the_command_builds_and_verifies(
    store: TokenStore, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["index", str(store.folder)]) == 0
    output = capsys.readouterr()
    assert f"{store.folder / 'index'}: " in output.out and "bytes per token" in output.out
    assert "indexing" in output.err
    file = tmp_path / "training_runs.filter"
    assert main(["index", str(store.folder), "--filter", str(file)]) == 0
    assert "finds every run of 8 words or more" in capsys.readouterr().out
    assert main(["verify", str(store.folder)]) == 0
    suffixes = store.folder / "index" / "suffixes.bin"
    content = bytearray(suffixes.read_bytes())
    content[10] ^= 1
    suffixes.write_bytes(content)
    capsys.readouterr()
    assert main(["verify", str(store.folder)]) == 2
    output = capsys.readouterr()
    assert output.err.startswith(f"error: {suffixes} is not what was written: build it again")
    (store.folder / "index" / "index.json").write_text("{}")
    assert main(["verify", str(store.folder)]) == 2
    assert "index.json is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "wrong"),
    [
        (["index"], "give the folder of one store"),
        (["index", "nowhere"], "nowhere is not a token store"),
        (["index", "x", "--filter"], "--filter needs a file"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(
    words: list[str], wrong: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words) == 2
    assert wrong in capsys.readouterr().err


def test_a_filter_needs_runs_and_not_too_many(
    settings: Settings, store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write_jsonl(tmp_path / "short.jsonl", ["One day, it rained.", "Tom was not happy."])
    short = build_store(settings(file, validation_share=0.0, min_tokens=0))
    with pytest.raises(ValueError, match="no story of .* has 8 words"):
        build_filter(short, tmp_path / "f")
    monkeypatch.setattr(run_filter, "MOST_TOKENS", 100)
    with pytest.raises(ValueError, match="use the index"):
        build_filter(store, tmp_path / "f")
    assert not (tmp_path / "f").exists()
