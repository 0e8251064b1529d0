"""Which index or filter belongs to a model."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from playground.trace.find import open_tracer, trace_of_model
from playground.trace.index import Index
from playground.trace.run_filter import RunFilter
from trainer.corpus.store.token_store import TokenStore


def model_of(folder: Path, store: TokenStore, home: Path) -> Path:
    """A model's folder whose training.json names a store."""
    folder.mkdir()
    training = {
        "corpus": {"fingerprint": store.fingerprint},
        "settings": {"corpus": {"source": "stories.jsonl", "folder": str(home)}},
    }
    (folder / "training.json").write_text(json.dumps(training), encoding="utf-8")
    return folder


def test_the_store_comes_before_the_filter(
    sample_store: TokenStore, sample_filter: Path, tmp_path: Path
) -> None:
    model = model_of(tmp_path / "model", sample_store, sample_store.folder.parent)
    assert trace_of_model(model) == sample_store.folder
    assert isinstance(open_tracer(sample_store.folder), Index)
    shutil.copy(sample_filter, model)
    assert trace_of_model(model) == sample_store.folder
    away = model_of(tmp_path / "away", sample_store, tmp_path / "nowhere")
    assert trace_of_model(away) is None
    shutil.copy(sample_filter, away)
    assert trace_of_model(away) == away
    assert isinstance(open_tracer(away), RunFilter)
    assert isinstance(open_tracer(sample_filter), RunFilter)


def test_a_store_without_an_index_or_of_other_stories_is_passed_by(
    sample_store: TokenStore, tmp_path: Path
) -> None:
    copied = tmp_path / "data" / sample_store.folder.name
    shutil.copytree(sample_store.folder, copied)
    model = model_of(tmp_path / "model", sample_store, tmp_path / "data")
    assert trace_of_model(model) == copied
    shutil.rmtree(copied / "index")
    assert trace_of_model(model) is None
    with pytest.raises(ValueError, match="index.json is missing"):
        open_tracer(copied)


@pytest.mark.parametrize("text", ["", "{}", '{"corpus": 3}', '{"corpus": {"fingerprint": null}}'])
def test_any_training_json_is_read(tmp_path: Path, text: str) -> None:
    (tmp_path / "training.json").write_text(text, encoding="utf-8")
    assert trace_of_model(tmp_path) is None
