"""The index finds what comparing with every place of the training stories finds."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from playground.trace import index as module
from playground.trace.index import Index
from tests.paths import ROOT
from tests.playground.trace.brute_force import BruteForce
from trainer.corpus.store.build import build_store
from trainer.corpus.store.suffix_array import build_index
from trainer.corpus.store.token_store import TokenStore
from trainer.settings.corpus import Corpus

SHARED = ROOT.parent / "shared" / "data"
NEEDS_SHARED = pytest.mark.skipif(not SHARED.is_dir(), reason="../shared/data is not here")
RARE = 16.0  # so that there is more to compare; three tokens are never so rare


def stories_of(file: Path, count: int) -> list[str]:
    with file.open(encoding="utf-8") as lines:
        return [json.loads(line)["text"] for line, _ in zip(lines, range(count), strict=False)]


def spliced(stories: list[str], count: int) -> Iterator[str]:
    """Halves of stories put together, with a word changed now and then."""
    dice = random.Random(3)
    for _ in range(count):
        one, other = dice.sample(stories, 2)
        half = one[: dice.randrange(len(one))] + other[dice.randrange(len(other)) :]
        words = half.split(" ")
        words[dice.randrange(len(words))] = dice.choice(["zebra", "playingly", "Zoë's", "“No”"])
        yield " ".join(words)


def held_to_brute_force(index: Index, texts: list[str]) -> int:
    """Compare the runs of some texts; return how many there are."""
    every = BruteForce(
        index.tokens, [piece.decode(errors="replace") for piece in index.token_bytes]
    )
    count = 0
    for text in texts:
        ids = index.tokenizer.encode(text, add_special_tokens=False).ids
        found = [
            (start, end, places.tolist())
            for start, end, places in index.runs(np.array(ids, dtype="<u2"))
        ]
        assert found == every.runs(ids, module.RARE), text
        count += len(found)
    return count


def test_it_finds_what_brute_force_finds(
    sample_store: TokenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RARE", RARE)
    stories = list(sample_store.stories("train"))
    index = Index(sample_store.folder)
    assert len(index.starts) > 3
    texts = [*sample_store.stories("validation", 5), *spliced(stories, 12), stories[0], "", "a"]
    assert held_to_brute_force(index, texts) > 40


@pytest.mark.slow
@NEEDS_SHARED
def test_it_finds_what_brute_force_finds_in_1000_stories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RARE", RARE)
    texts = stories_of(SHARED / "train.jsonl", 1_000)
    lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
    (tmp_path / "some.jsonl").write_text(lines, encoding="utf-8")
    settings = Corpus(source=str(tmp_path / "some.jsonl"), folder=str(tmp_path), typography=False)
    store = build_store(settings)
    build_index(store)
    texts = [*stories_of(SHARED / "valid.jsonl", 60), *spliced(texts, 40)]
    assert held_to_brute_force(Index(store.folder), texts) > 300


@pytest.mark.soak
@NEEDS_SHARED
def test_it_finds_what_brute_force_finds_of_1000_stories_in_all(tmp_path: Path) -> None:
    settings = Corpus(
        source=f"{SHARED / 'train.jsonl'},{SHARED / 'train_more.jsonl'}",
        validation=str(SHARED / "valid.jsonl"),
        folder=str(tmp_path),
        typography=False,
    )
    store = build_store(settings)
    build_index(store)
    texts = stories_of(SHARED / "valid.jsonl", 1_000)
    assert held_to_brute_force(Index(store.folder), texts) > 4_000


def test_a_run_is_shown_with_its_sources(sample_store: TokenStore) -> None:
    stories = list(sample_store.stories("train"))
    number = next(k for k, text in enumerate(stories) if len(text) > 300)
    words = stories[number].split(" ")
    part = " ".join(words[10:40])
    found = Index(sample_store.folder).trace(f"Zzyzx {part} qwxyz.", 5)
    run = max(found.runs, key=lambda one: one.words)
    assert part.strip(" .,;:!?\n").startswith(found.text[run.start : run.end][:20])
    assert run.stories == 1
    (source,) = run.sources
    assert source.story == number
    assert source.text == found.text[run.start : run.end]
    assert stories[number].startswith(source.before + source.text + source.after)
    assert run.rarity is not None and run.rarity >= module.RARE
    assert 0 < found.copied < found.words
    assert found.share == found.copied / found.words
    assert found.certain is None
    assert found.held_out is not None and 0 <= found.held_out < 1


def test_characters_are_counted_and_not_bytes_or_tokens(sample_store: TokenStore) -> None:
    story = next(text for text in sample_store.stories("train") if len(text) > 300)
    index = Index(sample_store.folder)
    plain = index.trace(story[:200], 0).runs
    moved = index.trace(f"🦊 ü\n{story[:200]}", 0).runs
    assert [(run.start + 4, run.end + 4) for run in plain] == [
        (run.start, run.end) for run in moved
    ]
    whole = index.trace(story + "\ud800<|endoftext|>", 0)  # half a character, and a mark as text
    assert len(whole.runs) == 1


def test_a_run_ends_where_words_end(sample_store: TokenStore) -> None:
    """A word that goes on in the story, or in the training story, is not copied."""
    story = next(text for text in sample_store.stories("train") if len(text) > 300)
    words = story.split(" ")
    index = Index(sample_store.folder)
    (run,) = index.trace(" ".join(words[:30]) + "ish thing", 0).runs
    assert run.end <= len(" ".join(words[:29]))


@pytest.fixture
def copied_store(sample_store: TokenStore, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sample_store.folder, tmp_path / "store"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda store: (store / "index" / "index.json").unlink(), "index.json is missing"),
        (lambda store: (store / "index" / "index.json").write_text("{"), "index.json is damaged"),
        (lambda store: cut(store / "index" / "suffixes.bin"), "suffixes.bin is missing or"),
        (lambda store: cut(store / "train" / "tokens.bin"), "tokens.bin is missing or"),
        (lambda store: (store / "index" / "stories.bin").unlink(), "stories.bin is missing or"),
        (lambda store: change(store, format=1), "has format 1, not 2"),
        (lambda store: change(store, store="0" * 64), "is the index of another store"),
    ],
)
def test_a_damaged_or_stale_index_is_one_sentence(
    copied_store: Path, spoil: object, message: str
) -> None:
    spoil(copied_store)  # type: ignore[operator]
    with pytest.raises(ValueError, match=message) as problem:
        Index(copied_store)
    assert "python -m trainer.corpus index" in str(problem.value)
    assert "\n" not in str(problem.value)


def test_places_beyond_the_stories_are_one_sentence(copied_store: Path) -> None:
    file = copied_store / "index" / "suffixes.bin"
    places = np.fromfile(file, "<u4")
    (places + np.where(np.arange(len(places)) % 2 == 0, 2**31, 0)).astype("<u4").tofile(file)
    index = Index(copied_store)
    with pytest.raises(ValueError, match="is damaged") as problem:
        for text in index.text(index.tokens[:4_000]).split("Once"):
            index.trace(text, 1)
    assert "\n" not in str(problem.value)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-2])


def change(folder: Path, **values: object) -> None:
    """Write other values into index.json, with a checksum that fits."""
    from trainer.storage import checksummed_json

    file = folder / "index" / "index.json"
    info = checksummed_json.loads(file.read_text(encoding="utf-8"))
    file.write_text(checksummed_json.dumps(info | values), encoding="utf-8")
