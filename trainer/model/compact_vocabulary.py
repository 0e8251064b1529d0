"""A smaller vocabulary for training: the head computes only the ids that the corpus uses.

A row of the smaller embedding is a *compact id*.

Three million tokens of TinyStories use about 10,000 of GPT-2's 50,257. An id that never occurs is
never a target: its row of the tied embedding can learn only to stay improbable, like every such
row. So unused ids share a few rows, those added to round up the number of rows for the matrix
units. With log(multiplicity) added to a shared row's logit,

    logsumexp over compact ids of (logit + log multiplicity)  =  logsumexp over all ids,

exactly: training equals that of a full model whose unused rows are equal. `expand` returns the
full table, and the export is a stock model. A row without any id (padding) has
multiplicity 0, log = -inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

MULTIPLE = 64  # of rows: matrix kernels run at full speed on whole tiles


@dataclass(frozen=True)
class CompactVocabulary:
    """A map from ids to trained rows.

    Attributes:
        compact_id_of: (ids,) int64; the row of each id.
        log_multiplicity: (num_compact_ids,) float32; log of the number of ids that share each row.
        end_of_text: the id of the token that every story begins and ends with.
    """

    compact_id_of: torch.Tensor
    log_multiplicity: torch.Tensor
    end_of_text: int

    @classmethod
    def of(cls, id_counts: np.ndarray, end_of_text: int, *, compact: bool) -> CompactVocabulary:
        """Return the map for a corpus in which id i occurs `id_counts[i]` times (shape (ids,))."""
        every = np.arange(len(id_counts))
        used = np.flatnonzero(id_counts) if compact else every
        unused = np.setdiff1d(every, used)
        num_compact_ids = -(-(len(used) + bool(len(unused))) // MULTIPLE) * MULTIPLE
        compact_id_of = np.empty(len(every), dtype=np.int64)
        compact_id_of[used] = np.arange(len(used))
        if len(unused):
            compact_id_of[unused] = len(used) + np.arange(len(unused)) % (
                num_compact_ids - len(used)
            )
        multiplicity = np.bincount(compact_id_of, minlength=num_compact_ids).astype(np.float32)
        with np.errstate(divide="ignore"):
            log_multiplicity = torch.from_numpy(np.log(multiplicity))
        return cls(torch.from_numpy(compact_id_of), log_multiplicity, end_of_text)

    @property
    def num_ids(self) -> int:
        """Number of the tokenizer's ids, and of rows of the full embedding."""
        return len(self.compact_id_of)

    @property
    def num_compact_ids(self) -> int:
        """Number of rows of the trained embedding."""
        return len(self.log_multiplicity)

    def expand(self, embedding: torch.Tensor) -> torch.Tensor:
        """Return the trained rows (num_compact_ids, hidden) as the full table (ids, hidden)."""
        return embedding[self.compact_id_of.to(embedding.device)]
