"""The utilization of the machine: floating-point operations per second of a run, relative to a
large matrix product.

    MFU = tokens/s x operations per token / peak

model FLOPs utilization (Chowdhery et al. 2022, PaLM, appendix B).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import cache

import torch
from transformers import PreTrainedModel

from trainer.model.build import POSITIONS

SECONDS = 0.2
SIDE = {"cpu": 2048, "cuda": 8192}  # of the square matrices; a GPU needs large ones to be busy


def flops_per_token(decoder: PreTrainedModel, teachers: Sequence[PreTrainedModel] = ()) -> int:
    """Return the floating-point operations of training on one token, forward and backward.

    6 for each weight that a token is multiplied with (Kaplan et al. 2020, section 2.1): the
    matrices, and the trained rows of the tied table once, as the head. Embedding look-ups count
    zero. Attention adds 12 x layers x heads x head width x context (PaLM, appendix B, which counts
    masked scores too), also for layers with a window, since they mask the rest. Teachers compute
    the forward pass only, a third.
    """
    config = decoder.config
    weights = sum(
        weight.numel()
        for name, weight in decoder.named_parameters()
        if weight.dim() == 2 and not name.endswith(POSITIONS)  # learned positions are looked up
    )
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = (
        config.num_hidden_layers
        * config.num_attention_heads
        * width
        * config.max_position_embeddings
    )
    return int(6 * weights + 12 * attention) + sum(map(flops_per_token, teachers)) // 3


@cache  # the machine does not change
def matmul_peak(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of a large matrix product: the best within
    about 0.2 s, measured once per process."""
    side = SIDE.get(device.type, SIDE["cuda"])
    matrix = torch.randn(side, side, device=device).to(dtype)
    product = matrix @ matrix  # the first is slower: libraries initialize
    begin, best = time.perf_counter(), float("inf")
    while time.perf_counter() - begin < SECONDS:
        wait(device)
        start = time.perf_counter()
        torch.mm(matrix, matrix, out=product)
        wait(device)
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def wait(device: torch.device) -> None:
    """Wait until a GPU has finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
