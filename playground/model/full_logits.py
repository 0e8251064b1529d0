"""What a choice may need besides the likeliest ids: all logits of a row, the exact one of any id,
an id's rank, and the sum over the rest.

Each function takes many rows and waits for the device once, however many they are.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from playground.model.candidates import Candidates, sums
from playground.model.head import Head


def full_logits(head: Head, near: Sequence[Candidates], logits: torch.Tensor) -> list[np.ndarray]:
    """Of logits (rows, slots) with the head's rounding, each row's (vocabulary,) float64, the
    candidates' exact ones among them."""
    found = []
    for row, its in zip(logits.double().cpu().numpy(), near, strict=True):
        full = row[head.slot_of]
        full[its.ids] = its.logits
        found.append(full)
    return found


def exact_logits(head: Head, states: torch.Tensor, ids: Sequence[int]) -> list[float]:
    """The exact logit of one id in each row of states (rows, hidden). Summed on the host: a GPU's
    order of summation would depend on the number of rows."""
    slots = torch.from_numpy(head.slot_of[list(ids)]).to(states.device)
    both = torch.stack([states, head.weights(slots)]).cpu().numpy().astype(np.float64)
    return [float(value) for value in both.prod(axis=0).sum(axis=1)]


def rank(head: Head, near: Candidates, full: np.ndarray, token_id: int, logit: float) -> int:
    """How many ids come before one that is no candidate, in full (vocabulary,) logits, by its exact
    logit."""
    everything = full.copy()
    everything[head.slot_of == head.slot_of[token_id]] = logit
    before = int((everything > logit).sum() + (everything[:token_id] == logit).sum())
    return max(before, len(near.ids))


def log_rests(
    head: Head, ids: list[np.ndarray], logits: torch.Tensor, temperatures: list[float]
) -> list[float]:
    """Of each row of logits (rows, slots), the log of the sum of exp(logit / temperature) over all
    ids but its candidates `ids`; -inf where there are no others."""
    device = logits.device
    slots = [head.slot_of[row] for row in ids]
    width = max(map(len, slots))
    taken = np.zeros((len(slots), width), dtype=np.float32)  # 1 for a candidate, 0 for filling
    places = np.zeros((len(slots), width), dtype=np.int64)
    for number, row in enumerate(slots):
        taken[number, : len(row)], places[number, : len(row)] = 1, row
    counts = head.counts.repeat(len(slots), 1)
    counts.scatter_add_(1, torch.from_numpy(places).to(device), torch.from_numpy(-taken).to(device))
    scaled = logits / torch.tensor(temperatures, device=device)[:, None]
    peak = scaled.amax(1, keepdim=True)
    total = sums(((scaled - peak).exp_() * counts).double())
    found = torch.stack([peak[:, 0].double(), total]).cpu().numpy()
    return [
        float(top) + float(np.log(rest)) if rest > 0 else -math.inf
        for top, rest in zip(*found, strict=True)
    ]
