"""Model folders with the whole vocabulary of GPT-2, with whose size a packed page is compared."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.gpt2 import SIZE
from tests.paths import TOKENIZER
from tests.playground.conftest import make_model

OWN_ROWS = 3_000


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model folder of a shape: `folder_of("llama")`. To be read only."""

    @cache
    def find(shape: str) -> Path:
        folder = tmp_path_factory.mktemp("models") / shape
        return make_model(folder, shape, TOKENIZER, vocabulary=SIZE, own_rows=OWN_ROWS)

    return find
