"""A small model over all of GPT-2's ids, to export."""

from typing import Any

import numpy as np
import pytest

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.model.build import full_decoder, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.settings.model import Model


@pytest.fixture
def model() -> Any:
    shape = Model(num_layers=1, hidden=16, num_heads=2, intermediate=32, context=32)
    vocabulary = CompactVocabulary.of(np.ones(SIZE, dtype=np.int64), END_OF_TEXT, compact=True)
    weights = dict(new_decoder(shape, vocabulary, seed=0).named_parameters())
    return full_decoder(shape, vocabulary, weights)
