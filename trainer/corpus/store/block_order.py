"""Which blocks a step reads: a pure function of (seed, step).

Epoch e reads block p_e(0), p_e(1), ..., p_e(num_blocks - 1), where p_e is a permutation of the
blocks drawn by (seed, e). A step reads the next `global_batch` of them, whatever the number of
processes: each takes its slice. Where an epoch ends inside a step, the step reads the rest of it
and the start of the next. So every block is read exactly once an epoch, and a run can resume at any
step without replaying what came before.

The blocks of an epoch may also begin some tokens later, a number drawn by (seed, epoch), so that
stories are split at other tokens in each epoch; the last block then ends at the split's start.

There is no list of blocks in memory. p_e is a Feistel network over the smallest even number of bits
that covers the blocks, repeated until its result is a block (Black and Rogaway, "Ciphers with
arbitrary finite domains", 2002): each position is computed separately, in about 3 repetitions at
worst on average."""

from __future__ import annotations

import numpy as np

ROUNDS = 6


class BlockOrder:
    """The order in which the blocks of a split are read.

    Args:
        num_blocks: blocks in the split, at least 1.
        global_batch: blocks a step reads, over all processes.
        seed: decides the order.
    """

    def __init__(self, num_blocks: int, global_batch: int, seed: int) -> None:
        if num_blocks < 1:
            raise ValueError(
                "the corpus is shorter than one block: give it more stories "
                "(corpus.source) or lower model.context"
            )
        if global_batch < 1:
            raise ValueError(f"optim.global_batch must be above 0, not {global_batch}")
        self.num_blocks = num_blocks
        self.global_batch = global_batch
        self.seed = seed
        self._half_bits = max(1, -(-(num_blocks - 1).bit_length() // 2))

    def starts(self, step: int, context: int, *, shifted: bool) -> np.ndarray:
        """Return the tokens at which the blocks of a step (from 0) begin: (global_batch,) int64.

        With `shifted`, all blocks of an epoch but the first begin later, by one number below
        `context`.
        """
        positions = step * self.global_batch + np.arange(self.global_batch, dtype=np.int64)
        epochs, positions = np.divmod(positions, self.num_blocks)
        starts = np.empty_like(positions)
        for epoch in np.unique(epochs).tolist():
            here = epochs == epoch
            shift = self._shift(epoch, context) if shifted else 0
            starts[here] = self._permute(positions[here], epoch) * context + shift
        return starts

    def _shift(self, epoch: int, context: int) -> int:
        """Return by how many tokens the blocks of an epoch are shifted."""
        if epoch == 0:
            return 0
        draws = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS + 1, np.uint64)
        return int(draws[ROUNDS] % np.uint64(context))

    def _permute(self, positions: np.ndarray, epoch: int) -> np.ndarray:
        """Return p_epoch of some positions in [0, num_blocks), both (n,) int64."""
        keys = np.random.SeedSequence([self.seed, epoch]).generate_state(ROUNDS, np.uint64)
        values = positions.astype(np.uint64)
        outside = np.ones(len(values), dtype=bool)
        while outside.any():  # a permutation of 4^half_bits values: the cycle returns to a block
            values[outside] = self._feistel(values[outside], keys)
            outside = values >= self.num_blocks
        return values.astype(np.int64)

    def _feistel(self, values: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return a permutation of [0, 4^half_bits), (n,) uint64."""
        bits = np.uint64(self._half_bits)
        mask = np.uint64(2**self._half_bits - 1)
        left, right = values >> bits, values & mask
        # Each round is invertible for any `scramble`, so the result is a permutation.
        for key in keys:
            left, right = right, left ^ (scramble(right + key) & mask)
        return (left << bits) | right


def scramble(values: np.ndarray) -> np.ndarray:
    """Return 64 well mixed bits for each value, (n,) uint64: the last step of SplitMix64 (Steele,
    Lea and Flood, 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: np.ndarray = values ^ (values >> np.uint64(31))
    return mixed
