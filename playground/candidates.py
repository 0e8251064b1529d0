"""The likeliest ids of each row, their logits without the head's rounding, and a measure of the
rest.

A full sort of 50,257 logits takes longer than the model. The n likeliest ids lie in the n blocks
of 64 ids with the largest maxima, so only those are sorted. Equal logits are ordered by id,
always.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

BLOCK = 64  # ids
FEW = 64  # candidates when the settings look at no more than 48
MANY = 256  # candidates for any top-k
SLACK = 16  # candidates beyond top-k: rounding may have put them a little too low


@dataclass
class Candidates:
    """The likeliest ids of some rows.

    Attributes:
        ids: (rows, n) from the likeliest down.
        logits: (rows, n) float64, exact ones.
        log_total: (rows,) float64, log of the sum of exp(logit) over all ids.
        entropy: (rows,) float64, of softmax(logits), in nats.
    """

    ids: np.ndarray
    logits: np.ndarray
    log_total: np.ndarray
    entropy: np.ndarray


def candidates(
    logits: torch.Tensor,
    states: torch.Tensor,
    exact: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    count: int,
) -> Candidates:
    """The `count` likeliest ids of each row of logits (rows, a multiple of 64) fp32.

    `exact(states, ids)` gives the logits of some ids without the head's rounding.
    """
    with torch.inference_mode():
        rows = len(logits)
        blocks = logits.view(rows, -1, BLOCK)
        count = min(count, blocks.shape[1])
        chosen = blocks.amax(-1).topk(count).indices  # (rows, count)
        near = blocks.gather(1, chosen[:, :, None].expand(-1, -1, BLOCK)).flatten(1)
        rough, places = near.topk(count)
        ids = chosen.gather(1, places // BLOCK) * BLOCK + places % BLOCK
        fine = exact(states, ids).double()
        probabilities = logits.softmax(-1)
        peak = logits.amax(-1, keepdim=True).double()
        log_total = logits.logsumexp(-1).double()
        entropy = log_total - (probabilities * logits).sum(-1).double()
        # What the head's rounding did to the candidates is taken out of the sum.
        share = (rough.double() - peak).exp().sum(-1)
        corrected = (log_total - peak[:, 0]).exp() - share + (fine - peak).exp().sum(-1)
        log_total = peak[:, 0] + corrected.clamp_min(1e-30).log()
        numbers, values = ids.cpu().numpy(), fine.cpu().numpy()
    order = np.lexsort((numbers, -values), axis=-1)
    return Candidates(
        np.take_along_axis(numbers, order, -1),
        np.take_along_axis(values, order, -1),
        log_total.cpu().numpy(),
        entropy.cpu().numpy(),
    )
