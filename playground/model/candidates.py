"""The likeliest ids of each row, their logits without the head's rounding, and a measure of the
rest.

A full sort of all logits takes longer than the model. The n likeliest slots lie in the n blocks of
64 with the largest maxima, so only those are sorted. Equal logits are ordered by id, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

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
        shares: probabilities of the first ten.
    """

    ids: np.ndarray
    logits: np.ndarray
    log_total: float
    entropy: float
    shares: list[float]


def candidates(head: Head, weighed: Sequence[torch.Tensor]) -> list[Candidates]:
    """The likeliest ids of each row that was weighed."""
    slots, fine, log_total, entropy = to_host(weighed)
    order = np.lexsort((slots, -fine), axis=-1)
    slots = np.take_along_axis(slots, order, -1)
    ids, values = head.ids_of(slots, np.take_along_axis(fine, order, -1))
    shares = np.exp(np.minimum(values[:, :BEST] - log_total[:, None], 0.0))
    return list(map(Candidates, ids, values, log_total.tolist(), entropy.tolist(), shares.tolist()))


def to_host(weighed: Sequence[torch.Tensor]) -> tuple[np.ndarray, ...]:
    """What `weigh` returned, in one copy: each copy from a GPU waits for it. Slots and fp32 logits
    are exact in float64."""
    slots, exact, log_total, entropy = weighed
    count = slots.shape[1]
    packed = torch.cat(
        [slots.double(), exact.double(), log_total[:, None], entropy[:, None]], dim=1
    )
    rows = packed.cpu().numpy()  # (rows, 2 x count + 2)
    return rows[:, :count].astype(np.int64), rows[:, count : 2 * count], rows[:, -2], rows[:, -1]


def weigh(
    head: Head, states: torch.Tensor, logits: torch.Tensor, count: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The `count` likeliest slots of each row of states (rows, hidden) and logits (rows, slots):
    slots (rows, count) in no order, their exact logits, and of all ids the log of the sum of
    exp(logit) and the entropy, both (rows,) float64."""
    rows, count = len(logits), min(count, head.size)
    blocks = logits.view(rows, -1, BLOCK)
    num_blocks = min(count, blocks.shape[1])
    if num_blocks < blocks.shape[1]:
        chosen = blocks.amax(-1).topk(num_blocks, sorted=False).indices  # (rows, count)
        near = blocks.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
        rough, places = near.topk(count, sorted=False)
        slots = chosen.gather(1, places // BLOCK) * BLOCK + places % BLOCK
    else:
        rough, slots = logits.topk(count, sorted=False)
    fine = head.exact(states, slots)
    counts = head.counts[slots]
    peak = rough.amax(-1, keepdim=True)
    below = logits - peak
    weights = below.exp().mul_(head.counts)  # (rows, slots)
    total = sums(weights).double()
    spread = sums(weights.mul_(below)).double()  # of exp(x) x
    # What the head's rounding did to the candidates is taken out of the sum.
    change = ((fine - peak).double().exp() - (rough - peak).double().exp()) * counts
    exact_total = (total + change.sum(-1)).clamp_min(1e-30)
    log_total = peak[:, 0].double() + exact_total.log()
    entropy = (total.log() - spread / total).clamp_min(0.0)
    return slots, fine, log_total, entropy


def sums(x: torch.Tensor) -> torch.Tensor:
    """Sum of each row, a block at a time: a lone long row is else split among threads and summed in
    another order than among others."""
    return x.view(len(x), -1, BLOCK).sum(-1).sum(-1)
