"""The filter finds the runs that it promises, and JavaScript's hashes are Python's."""

from __future__ import annotations

import gzip
import json
import random
from pathlib import Path

import numpy as np
import pytest

from playground.trace.copied import word_spans
from playground.trace.run_filter import RunFilter, run_hashes
from tests.paths import ROOT
from trainer.corpus.store import run_filter
from trainer.corpus.store.run_filter import build_filter
from trainer.corpus.store.token_store import TokenStore


def words_of(text: str) -> list[str]:
    return [text[start:end].lower() for start, end in word_spans(text)]


def test_both_programs_have_the_same_words_and_hashes(sample_store: TokenStore) -> None:
    texts = [*sample_store.stories("train", 20), "Zoë’s CAT-house, d'Artagnan's 1½ '' _a_b İi ß"]
    for text in texts:
        assert words_of(text) == run_filter.words(text)
        assert (
            run_hashes(words_of(text), 8).tolist()
            == run_filter.run_hashes(run_filter.words(text)).tolist()
        )


def test_of_a_small_corpus_every_run_of_8_words_is_found(
    sample_store: TokenStore, sample_filter: Path
) -> None:
    found = RunFilter(sample_filter)
    assert found.about["stride"] == 1
    for story in sample_store.stories("train", 20):
        trace = found.trace(story, 5)
        if trace.words >= 8:
            assert trace.share == 1
            assert [(run.words, run.sources, run.stories) for run in trace.runs] == [
                (trace.words, (), None)
            ]
    part = " ".join(next(sample_store.stories("train")).split(" ")[3:12])
    (run,) = found.trace(f"zebra zebra {part.upper()} zebra", 0).runs
    assert run.words == 9
    text = found.trace("zebra " * 30, 0)
    assert (text.runs, text.share, text.certain) == ((), 0.0, 8)
    assert found.trace("", 0).share == 0


def test_a_longer_stride_finds_every_run_that_it_promises(
    sample_store: TokenStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_filter, "MOST_BYTES", 60_000)
    about = build_filter(sample_store, tmp_path / "f")
    assert about["stride"] > 1
    assert (tmp_path / "f").stat().st_size < 60_000
    found = RunFilter(tmp_path / "f")
    size = found.trace("", 0).certain
    assert size == 8 + about["stride"] - 1
    for story in sample_store.stories("train", 20):
        words = story.split(" ")
        for first in range(0, len(words) - size, 5):
            part = " ".join(words[first : first + size])
            if len(word_spans(part)) >= size:
                assert found.trace(f"Zzyzx {part} qwxyz", 0).runs, part


def test_the_file_says_what_it_is(sample_store: TokenStore, sample_filter: Path) -> None:
    line = gzip.decompress(sample_filter.read_bytes()).partition(b"\n")[0]
    about = json.loads(line)
    assert about["store"] == sample_store.fingerprint
    assert about["false_positives"] == about["hashes"] / 2**32
    assert about["words"] == 8
    assert 0 <= about["held_out"] < 1


@pytest.mark.parametrize(
    "content",
    [b"", b"PK", gzip.compress(b"{}\n"), gzip.compress(b'{"format": 2}\n'), None],
    ids=["empty", "zip", "no format", "format 2", "cut off"],
)
def test_a_damaged_filter_is_one_sentence(
    sample_filter: Path, tmp_path: Path, content: bytes | None
) -> None:
    file = tmp_path / "training_runs.filter"
    file.write_bytes(sample_filter.read_bytes()[:-100] if content is None else content)
    with pytest.raises(ValueError, match=r"training_runs\.filter is not a filter") as problem:
        RunFilter(file)
    assert "\n" not in str(problem.value)
    with pytest.raises(ValueError, match="missing"):
        RunFilter(tmp_path / "none")


SHIPPED = ROOT / "models" / "storyteller" / "training_runs.filter"


def test_the_shipped_filter_takes_as_many_runs_for_copied_as_it_says() -> None:
    found = RunFilter(SHIPPED)
    dice = random.Random(2)
    hashes = run_hashes([f"word{dice.randrange(5_000)}" for _ in range(200_000)], 8)
    places = np.minimum(np.searchsorted(found.hashes, hashes), len(found.hashes) - 1)
    rate = (found.hashes[places] == hashes).mean()
    assert rate == pytest.approx(found.about["false_positives"], rel=0.25)


def test_the_shipped_filter_keeps_its_bounds() -> None:
    assert SHIPPED.stat().st_size < 5_000_000
    found = RunFilter(SHIPPED)
    assert found.about["false_positives"] < 0.001
    assert found.trace("", 0).certain == 9
    opening = "Once upon a time, there was a little girl named Lily. She loved to play outside."
    assert found.trace(opening, 0).share > 0.8
    nonsense = "The zebra computed eleven quarterly spreadsheets beneath the magenta aqueduct."
    assert found.trace(nonsense, 0).runs == ()
