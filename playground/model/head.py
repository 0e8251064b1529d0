"""The output layer: states to the logits of 50,257 ids, for the price of those that differ.

Ids that a corpus never shows keep one common row in a storyteller's tied table (the trainer draws
them together), so their logits are equal, always. The head multiplies each distinct row, a slot,
once and remembers how many ids share it: a fifth of the work for a storyteller of 10,000 used ids,
and the same result. A model whose rows all differ has a slot per id.

The product runs in bf16 where the processor has it. `exact` computes some slots again in fp32, so
that the candidates of a choice are free of that rounding.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from torch.nn import functional

from playground.model.linear import PackedLinear

IMPOSSIBLE = -1e4  # a logit that is never drawn, and whose product with probability 0 is 0
BLOCK = 64  # the number of slots is a multiple of this


class Head:
    """The table's distinct rows.

    Attributes:
        vocabulary: number of ids.
        size: number of slots that stand for an id; the others fill the last block up.
        slot_of: (vocabulary,) the slot of each id.
        counts: (slots,) fp32, how many ids share a slot; 0 where none does.
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
        order = np.argsort(firsts)  # slots stand in the order of their lowest ids
        self.slot_of = np.argsort(order)[inverse]
        self._ids = np.argsort(self.slot_of, kind="stable")  # ids, slot after slot
        counts = np.bincount(self.slot_of)
        self.size = len(counts)
        slots = -(-len(counts) // BLOCK) * BLOCK
        padding = (0, slots - len(counts))
        self._starts = np.pad(np.cumsum(counts), (1, padding[1]), mode="edge")
        self._starts[0] = 0
        self._shared = np.pad(counts > 1, padding)
        self._table = functional.pad(table[firsts[order]], (0, 0, *padding))  # (slots, hidden)
        self._product = PackedLinear(self._table, None, dtype or head_type(table.device))
        self.counts = functional.pad(torch.from_numpy(counts).float(), padding).to(table.device)
        self._bar = torch.where(self.counts > 0, 0.0, IMPOSSIBLE)

    def logits(self, states: torch.Tensor) -> torch.Tensor:
        """(rows, slots) fp32 of states (rows, hidden), with the product's rounding."""
        return self._product(states).float().add_(self._bar)

    def exact(self, states: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
        """(rows, n) fp32 logits of some slots (rows, n), without the product's rounding."""
        return (functional.embedding(slots, self._table) * states[:, None]).sum(-1)

    def exact_logit(self, state: np.ndarray, token_id: int) -> float:
        """The logit of any id, of a state (hidden,) float64 on the host."""
        return float(state @ self._on_host[self.slot_of[token_id]].astype(np.float64))

    @cached_property
    def _on_host(self) -> np.ndarray:
        return self._table.cpu().numpy()

    def ids_of(self, slots: np.ndarray, logits: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Ids and logits (rows, n) of slots and logits (rows, n), which fall from the left: a
        slot's ids in a row, so that shared ones push the last out. Equal logits go by id."""
        ids = self._ids[self._starts[slots]]
        for row in np.flatnonzero(self._shared[slots].any(axis=1)):
            count = slots.shape[1]
            members = [self._ids[self._starts[slot] : self._starts[slot + 1]][:count]
                       for slot in slots[row]]  # fmt: skip
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
