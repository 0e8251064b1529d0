"""What the trainer's tests share: stores of the sample, and DeepSpeed's compiled part."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.compile_caches import compile_deepspeed
from tests.gpt2 import END_OF_TEXT, SIZE


@pytest.fixture(scope="session")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus.folder for all workers of this test run: a store is built by the first that needs
    it, and only read afterwards."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    folder = place / "stores"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def vocabulary() -> Any:
    """The compact vocabulary of a corpus that has GPT-2's tokens 100 to 159."""
    from trainer.model.compact_vocabulary import CompactVocabulary  # which imports PyTorch

    counts = np.zeros(SIZE, dtype=np.int64)
    counts[[*range(100, 160), END_OF_TEXT]] = 1
    return CompactVocabulary.of(counts, END_OF_TEXT, compact=True)


@pytest.fixture(scope="session")
def compiled_deepspeed() -> None:
    """A test that trains under DeepSpeed needs this: nobody may be killed while it compiles."""
    compile_deepspeed()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Compile before the first test, whose time is limited, and only if a test needs it."""
    if any("compiled_deepspeed" in getattr(item, "fixturenames", ()) for item in session.items):
        compile_deepspeed()
