"""Stores with an index and a filter, made by the trainer's commands."""

from __future__ import annotations

from pathlib import Path

import pytest

from trainer.corpus.store.build import build_store
from trainer.corpus.store.run_filter import build_filter
from trainer.corpus.store.suffix_array import build_index
from trainer.corpus.store.token_store import TokenStore
from trainer.settings.corpus import Corpus


@pytest.fixture(scope="session")
def sample_store(tmp_path_factory: pytest.TempPathFactory) -> TokenStore:
    """The store of the bundled sample, indexed in parts of some 30,000 tokens. Read only."""
    home = tmp_path_factory.mktemp("data")
    store = build_store(
        Corpus(source="sample", folder=str(home), min_tokens=0, validation_share=0.2),
    )
    build_index(store, part=30_000)
    return store


@pytest.fixture(scope="session")
def sample_filter(sample_store: TokenStore, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The filter of the bundled sample. Read only."""
    file = tmp_path_factory.mktemp("filter") / "training_runs.filter"
    build_filter(sample_store, file)
    return file
