"""The likeliest ids of each row, their logits without the head's rounding, and a measure of the
rest.

A full sort of all logits takes longer than the model. The n likeliest unique rows lie in the n
blocks of 64 with the largest maxima, so only those are sorted. Equal logits are ordered by id,
always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch.nn import functional

from playground.model.head import BLOCK, Head

FEW = 64  # candidates when the settings look at no more than 48
MANY = 256  # candidates for any top-k
BEST = 10  # alternatives that are shown
SLACK = 16  # candidates beyond top-k: rounding may have put them a little too low


class Candidates(NamedTuple):
    """The likeliest ids of a row.

    Attributes:
        ids: (n,) from the likeliest down.
        logits: (n,) float64, exact ones.
        log_total: log of the sum of exp(logit) over all ids.
        entropy: of softmax(logits), in nats.
        probabilities: of the first ten.
    """

    ids: np.ndarray
    logits: np.ndarray
    log_total: float
    entropy: float
    probabilities: list[float]


def candidates_of(head: Head, likeliest: Sequence[torch.Tensor]) -> list[Candidates]:
    """The likeliest ids of each row, from what `likeliest_rows` returned."""
    unique, exact, log_total, entropy = to_host(likeliest)
    order = np.lexsort((unique, -exact), axis=-1)
    unique = np.take_along_axis(unique, order, -1)
    ids, logits = head.ids_of(unique, np.take_along_axis(exact, order, -1))
    probabilities = np.exp(np.minimum(logits[:, :BEST] - log_total[:, None], 0.0))
    columns = (log_total.tolist(), entropy.tolist(), probabilities.tolist())
    return list(map(Candidates, ids, logits, *columns))


def to_host(likeliest: Sequence[torch.Tensor]) -> tuple[np.ndarray, ...]:
    """What `likeliest_rows` returned, in one copy: each copy from a GPU waits for it. Row numbers
    and fp32 logits are exact in float64."""
    unique, exact, log_total, entropy = likeliest
    count = unique.shape[1]
    packed = torch.cat(
        [unique.double(), exact.double(), log_total[:, None], entropy[:, None]], dim=1
    )
    rows = packed.cpu().numpy()  # (rows, 2 x count + 2)
    return rows[:, :count].astype(np.int64), rows[:, count : 2 * count], rows[:, -2], rows[:, -1]


def likeliest_rows(
    head: Head, states: torch.Tensor, logits: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The `count` likeliest unique rows of the head's table, for each row of states (rows, hidden)
    and logits (rows, unique).

    Returns:
        Unique rows (rows, count) in no order, their exact logits, and of all ids the log of the sum
        of exp(logit) and the entropy, both (rows,) float64.
    """
    rows, count = len(logits), min(count, head.num_unique)
    blocks = logits.view(rows, -1, BLOCK)
    num_blocks = min(count, blocks.shape[1])
    if num_blocks < blocks.shape[1]:
        chosen = blocks.amax(-1).topk(num_blocks, sorted=False).indices  # (rows, count)
        in_chosen = blocks.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
        rounded, index = in_chosen.topk(count, sorted=False)  # index: of the chosen blocks' rows
        unique = chosen.gather(1, index // BLOCK) * BLOCK + index % BLOCK
    else:
        rounded, unique = logits.topk(count, sorted=False)
    exact = head.exact(states, unique)
    counts = head.counts[unique]
    peak = rounded.amax(-1, keepdim=True)
    below = logits - peak
    weights = below.exp().mul_(head.counts)  # (rows, unique)
    total = sums(weights).double()
    spread = sums(weights.mul_(below)).double()  # of exp(x) x
    # What the head's rounding did to the candidates is taken out of the sum.
    change = ((exact - peak).double().exp() - (rounded - peak).double().exp()) * counts
    exact_total = (total + change.sum(-1)).clamp_min(1e-30)
    log_total = peak[:, 0].double() + exact_total.log()
    entropy = (total.log() - spread / total).clamp_min(0.0)
    return unique, exact, log_total, entropy


def sums(x: torch.Tensor) -> torch.Tensor:
    """Sum of each row, a block at a time: a lone long row is else split among threads and summed in
    another order than among others."""
    blocks = x.view(len(x), -1, BLOCK).sum(-1)
    if x.device.type == "cuda":
        # CUDA reads vectors of four: rows that begin elsewhere are summed in another order. With
        # 161 blocks three rows of four had other last bits than the first.
        blocks = functional.pad(blocks, (0, -blocks.shape[1] % 4))
    return blocks.sum(-1)
