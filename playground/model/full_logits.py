"""What a choice may need besides the likeliest ids: all logits of a row, an id's rank, and the sum
over the rest.

The functions that ask the device take many rows and wait for it once, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from playground.model.candidates import Candidates, sums
from playground.model.head import Head
from playground.model.torch_layers import send


class Full(NamedTuple):
    """What the device knows of a row.

    Attributes:
        logits: (vocabulary,) float64, the candidates' exact ones among them.
        state: (hidden,) float64.
    """

    logits: np.ndarray
    state: np.ndarray


def full_rows(
    head: Head, candidates: Sequence[Candidates], states: torch.Tensor, logits: torch.Tensor
) -> list[Full]:
    """The rows of states (rows, hidden) and logits (rows, unique) with the head's rounding."""
    found = []
    on_host = torch.cat([logits, states], 1).double().cpu().numpy()
    for row, its in zip(on_host, candidates, strict=True):
        full = row[: logits.shape[1]][head.unique_of]
        full[its.ids] = its.logits
        found.append(Full(full, row[logits.shape[1] :]))
    return found


def rank(head: Head, candidates: Candidates, row: Full, token_id: int, logit: float) -> int:
    """How many ids come before one that is no candidate, by its exact logit."""
    everything = row.logits.copy()
    everything[head.unique_of == head.unique_of[token_id]] = logit
    before = int((everything > logit).sum() + (everything[:token_id] == logit).sum())
    return max(before, len(candidates.ids))


def log_rests(
    head: Head, ids: list[np.ndarray], logits: torch.Tensor, temperatures: list[float]
) -> list[float]:
    """Of each row of logits (rows, unique), the log of the sum of exp(logit / temperature) over all
    ids but its candidates `ids`; -inf where there are no others."""
    device = logits.device
    unique = [head.unique_of[row] for row in ids]
    width = max(map(len, unique))
    taken = np.zeros((len(unique), width), dtype=np.float32)  # 1 for a candidate, 0 for padding
    indices = np.zeros((len(unique), width), dtype=np.int64)
    for number, row in enumerate(unique):
        taken[number, : len(row)], indices[number, : len(row)] = 1, row
    counts = head.counts.repeat(len(unique), 1)
    counts.scatter_add_(1, send(indices, device), send(-taken, device))
    scaled = logits / send(np.array(temperatures, dtype=np.float32), device)[:, None]
    peak = scaled.amax(1, keepdim=True)
    total = sums(((scaled - peak).exp_() * counts).double())
    found = torch.stack([peak[:, 0].double(), total]).cpu().numpy()
    return [
        float(top) + float(np.log(rest)) if rest > 0 else -math.inf
        for top, rest in zip(*found, strict=True)
    ]
