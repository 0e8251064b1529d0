"""The output layer: states to the logits of 50,257 ids, for the price of those that differ.

Ids that a corpus never shows keep one common row in a storyteller's tied table (the trainer draws
them together), so their logits are equal, always. The head multiplies each unique row once and
remembers how many ids share it: a fifth of the work for a storyteller of 10,000 used ids, and the
same result. A model whose rows all differ has a unique row per id.

A table of five ids with the rows A B A C A has three unique rows: `unique_of` is 0 1 0 2 0,
`counts` is 3 1 1, and the logits 5 4 3 of the unique rows stand for 5 4 5 3 5 of the ids.

The product runs in bf16 where the processor has it. `exact` computes some rows again in fp32, and
`all_exact` all of them, so that a choice is free of that rounding: a seed's story is the same
whatever the product's type.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from playground.model.linear import PackedLinear

IMPOSSIBLE = -1e4  # a logit that is never drawn, and whose product with probability 0 is 0
BLOCK = 64  # the number of unique rows is a multiple of this


class Head:
    """The table's unique rows.

    Attributes:
        vocabulary: number of ids.
        num_unique: number of rows that stand for an id; the others fill the last block up.
        unique_of: (vocabulary,) the unique row of each id.
        counts: (unique,) fp32, how many ids share a row; 0 where none does.
    """

    def __init__(self, table: torch.Tensor, dtype: torch.dtype | None = None) -> None:
        """From table (vocabulary, hidden) fp32; dtype of the product, None for the fastest."""
        self.vocabulary = len(table)
        rows = np.ascontiguousarray(table.cpu().numpy())
        _, firsts, inverse = np.unique(
            rows.view([("row", f"V{rows.shape[1] * rows.itemsize}")])[:, 0],
            return_index=True,
            return_inverse=True,
        )
        order = np.argsort(firsts)  # unique rows stand in the order of their lowest ids
        self.unique_of = np.argsort(order)[inverse]  # argsort of an order is its inverse
        self._ids = np.argsort(self.unique_of, kind="stable")  # ids, unique row after unique row
        counts = np.bincount(self.unique_of)
        self.num_unique = len(counts)
        padding = (0, -len(counts) % BLOCK)
        self._starts = np.pad(np.cumsum(counts), (1, padding[1]), mode="edge")
        self._starts[0] = 0
        self._shared = np.pad(counts > 1, padding)
        self._table = functional.pad(table[firsts[order]], (0, 0, *padding))  # (unique, hidden)
        self._product = PackedLinear(self._table, None, dtype or head_type(table.device))
        self.counts = functional.pad(torch.from_numpy(counts).float(), padding).to(table.device)
        self._bar = torch.where(self.counts > 0, 0.0, IMPOSSIBLE)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """(rows, unique) fp32 of states (rows, hidden), with the product's rounding."""
        return self._product(states).float().add_(self._bar)

    def exact(self, states: torch.Tensor, unique: torch.Tensor) -> torch.Tensor:
        """(rows, n) fp32 logits of some unique rows (rows, n), without the product's rounding."""
        return (functional.embedding(unique, self._table) * states[:, None]).sum(-1)

    def all_exact(self, states: torch.Tensor) -> torch.Tensor:
        """`logits` without the product's rounding."""
        return self._exact_product(states).add_(self._bar)

    @property
    def rounds(self) -> bool:
        """Whether `logits` have a rounding."""
        return self._product.dtype != torch.float32

    @cached_property
    def _exact_product(self) -> PackedLinear:
        return PackedLinear(self._table, None, torch.float32)

    def exact_logit(self, state: np.ndarray, token_id: int) -> float:
        """The logit of any id, of a state (hidden,) float64 on the host."""
        return float(state @ self._on_host[self.unique_of[token_id]].astype(np.float64))

    @cached_property
    def _on_host(self) -> np.ndarray:
        return self._table.cpu().numpy()

    def ids_of(self, unique: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and logits (rows, n) of unique rows and their logits (rows, n), which fall from the
        left: all ids of a row, so that shared ones push the last out. Equal logits go by id.

        In the example above, the unique rows 0 1 with the logits 5 4 become the ids 0 2 with 5 5.
        """
        ids = self._ids[self._starts[unique]]
        for row in np.flatnonzero(self._shared[unique].any(axis=1)):
            count = unique.shape[1]
            members = [
                self._ids[self._starts[one] : self._starts[one + 1]][:count] for one in unique[row]
            ]
            spread = np.repeat(logits[row], [len(one) for one in members])
            together = np.concatenate(members)
            order = np.lexsort((together, -spread))[:count]
            ids[row], logits[row] = together[order], spread[order]
        return ids, logits


def head_type(device: torch.device) -> torch.dtype:
    """bf16 where the processor multiplies it, else fp32."""
    if device.type == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float32
        )
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return torch.bfloat16 if fast else torch.float32
