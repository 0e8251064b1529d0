"""The order of blocks: a permutation an epoch, a function of (seed, step) alone."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.corpus.store.block_order import BlockOrder

blocks = st.integers(1, 300)
batches = st.integers(1, 300)
seeds = st.integers(0, 2**32 - 1)
LENGTH = 200  # blocks of a sequence that are compared


def blocks_of(order: BlockOrder, step: int) -> np.ndarray:
    """Return the numbers of the blocks that a step reads."""
    return order.starts(step, 1, shifted=False)


@settings(max_examples=25, deadline=None)
@given(blocks, batches, seeds)
def test_each_block_is_read_exactly_once_an_epoch(num_blocks: int, batch: int, seed: int) -> None:
    order = BlockOrder(num_blocks, batch, seed)
    steps = -(-3 * num_blocks // batch)
    read = np.concatenate([blocks_of(order, step) for step in range(steps)])
    for epoch in range(3):
        once = read[epoch * num_blocks : (epoch + 1) * num_blocks]
        assert np.array_equal(np.sort(once), np.arange(num_blocks))


@settings(max_examples=25, deadline=None)
@given(
    blocks, seeds, st.integers(0, 10**6), st.integers(1, 8), st.integers(1, 6), st.integers(1, 8)
)
def test_processes_and_accumulation_share_out_the_same_blocks(
    num_blocks: int, seed: int, start: int, processes: int, accumulation: int, micro_batch: int
) -> None:
    global_batch = processes * accumulation * micro_batch
    whole = BlockOrder(num_blocks, global_batch, seed)
    for step in (start, start + 1):
        shared = []
        for rank in range(processes):  # each process makes an order of its own
            mine = blocks_of(BlockOrder(num_blocks, global_batch, seed), step)
            mine = mine[rank * len(mine) // processes : (rank + 1) * len(mine) // processes]
            shared += [mine[n * micro_batch : (n + 1) * micro_batch] for n in range(accumulation)]
        assert np.array_equal(np.concatenate(shared), blocks_of(whole, step))


@settings(max_examples=25, deadline=None)
@given(blocks, seeds, st.integers(1, 64), st.integers(1, 64), st.integers(0, 50))
def test_the_sequence_does_not_depend_on_the_batch(
    num_blocks: int, seed: int, one: int, other: int, start: int
) -> None:
    orders = [BlockOrder(num_blocks, batch, seed) for batch in (one, other)]
    read = [
        np.concatenate(
            [blocks_of(order, step) for step in range(-(-LENGTH // order.global_batch))]
        )[:LENGTH]
        for order in orders
    ]
    assert np.array_equal(read[0][start:], read[1][start:])


def test_epochs_and_seeds_differ_and_are_well_mixed() -> None:
    num_blocks = 1000
    first, second = (blocks_of(BlockOrder(num_blocks, num_blocks, 7), epoch) for epoch in (0, 1))
    other = blocks_of(BlockOrder(num_blocks, num_blocks, 8), 0)
    for one, two in ((first, second), (first, other), (first, np.arange(num_blocks))):
        assert np.count_nonzero(one == two) < 10  # of 1,000, chance makes about 1
        assert abs(np.corrcoef(one, two)[0, 1]) < 0.12  # 3.8 standard errors
    assert abs(np.corrcoef(first[:-1], first[1:])[0, 1]) < 0.12


def test_a_step_may_end_one_epoch_and_start_the_next() -> None:
    order = BlockOrder(10, 4, 3)
    third = blocks_of(order, 2)
    read = np.concatenate([blocks_of(order, 0), blocks_of(order, 1), third[:2]])
    assert sorted(read.tolist()) == list(range(10))
    following = np.concatenate([third[2:], blocks_of(order, 3), blocks_of(order, 4)])
    assert sorted(following.tolist()) == list(range(10))


def test_a_batch_larger_than_the_corpus_reads_several_epochs() -> None:
    counts = np.bincount(blocks_of(BlockOrder(3, 10, 0), 0), minlength=3)
    assert counts.tolist() in ([4, 3, 3], [3, 4, 3], [3, 3, 4])


def test_the_order_of_500_million_tokens_takes_no_memory() -> None:
    tracemalloc.start()
    order = BlockOrder(500_000_000 // 128, 64, 1)
    for step in (0, 1, 10**6, 10**9):
        assert blocks_of(order, step).max() < order.num_blocks
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1_000_000  # bytes; a list of all blocks would be 31 MB


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 300), batches, seeds, st.integers(1, 64))
def test_shifted_blocks_still_predict_a_token_once_an_epoch(
    num_blocks: int, batch: int, seed: int, context: int
) -> None:
    order, tokens = BlockOrder(num_blocks, batch, seed), num_blocks * context
    steps = range(-(-3 * num_blocks // batch))
    read = np.concatenate([order.starts(step, context, shifted=True) for step in steps])
    plain = np.concatenate([order.starts(step, context, shifted=False) for step in steps])
    assert np.array_equal(read[:num_blocks], plain[:num_blocks])  # the first epoch
    for epoch in range(3):
        part = slice(epoch * num_blocks, (epoch + 1) * num_blocks)
        assert len(set((read[part] - plain[part]).tolist())) == 1
        assert np.all((read[part] - plain[part] >= 0) & (read[part] - plain[part] < context))
        targets = (read[part][:, None] + np.arange(context)) % tokens
        assert np.array_equal(np.sort(targets.ravel()), np.arange(tokens))


def test_epochs_are_shifted_otherwise() -> None:
    order = BlockOrder(100, 100, 7)
    shifts = [
        int((order.starts(epoch, 512, shifted=True) - blocks_of(order, epoch) * 512)[0])
        for epoch in range(40)
    ]
    assert shifts[0] == 0
    assert len(set(shifts)) > 35


def test_the_order_is_the_same_on_every_machine() -> None:
    order = BlockOrder(1000, 6, 1337)
    assert blocks_of(order, 0).tolist() == [154, 771, 527, 555, 962, 195]
    assert order.starts(300, 512, shifted=True)[:3].tolist() == [511803, 122683, 42811]


@pytest.mark.parametrize(("num_blocks", "batch"), [(0, 4), (5, 0)])
def test_nothing_to_read_is_refused(num_blocks: int, batch: int) -> None:
    with pytest.raises(ValueError, match=r"corpus\.source|optim\.global_batch"):
        BlockOrder(num_blocks, batch, 0)
