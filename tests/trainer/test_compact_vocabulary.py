"""The slots stand for all 50,257 ids exactly."""

import numpy as np
import torch

from tests.gpt2 import END_OF_TEXT, SIZE
from trainer.model.compact_vocabulary import CompactVocabulary


def counts_of(ids: list[int]) -> np.ndarray:
    counts = np.zeros(SIZE, dtype=np.int64)
    counts[ids] = 1
    return counts


def test_used_ids_have_a_row_of_their_own_and_the_rest_share() -> None:
    vocabulary = CompactVocabulary.of(counts_of([3, 700, END_OF_TEXT]), END_OF_TEXT, compact=True)
    assert vocabulary.num_compact_ids == 64
    assert vocabulary.compact_id_of[[3, 700, END_OF_TEXT]].tolist() == [0, 1, 2]
    assert vocabulary.log_multiplicity[:3].tolist() == [0, 0, 0]
    assert torch.isclose(
        vocabulary.log_multiplicity.double().exp().sum(),
        torch.tensor(float(SIZE)).double(),
        rtol=1e-6,
    )


def test_every_id_has_its_own_row_when_not_compact() -> None:
    vocabulary = CompactVocabulary.of(counts_of([3]), END_OF_TEXT, compact=False)
    assert vocabulary.num_compact_ids == 50_304
    assert vocabulary.compact_id_of.unique().numel() == SIZE
    assert vocabulary.log_multiplicity[SIZE:].eq(-torch.inf).all()


def test_a_corpus_that_fills_whole_tiles_still_has_a_slot_for_the_rest() -> None:
    vocabulary = CompactVocabulary.of(counts_of(list(range(128))), END_OF_TEXT, compact=True)
    assert vocabulary.num_compact_ids == 192
    assert (vocabulary.compact_id_of[128:] >= 128).all()


def test_log_sum_exp_over_slots_is_that_over_all_ids() -> None:
    vocabulary = CompactVocabulary.of(counts_of([1, 5, 9, END_OF_TEXT]), END_OF_TEXT, compact=True)
    generator = torch.Generator().manual_seed(0)
    table = torch.randn(vocabulary.num_compact_ids, 8, generator=generator, dtype=torch.float64)
    hidden = torch.randn(3, 8, generator=generator, dtype=torch.float64)
    compact_ids = torch.logsumexp(hidden @ table.T + vocabulary.log_multiplicity, dim=-1)
    full = torch.logsumexp(hidden @ vocabulary.expand(table).T, dim=-1)
    torch.testing.assert_close(compact_ids, full, rtol=1e-6, atol=1e-6)
