"""What moves the weights: parameter groups, AdamW, and the learning rate as a function of the
step."""

from __future__ import annotations

import math

import torch
from torch import nn

from trainer import config


def learning_rate(settings: config.Optim, step: int, num_steps: int) -> float:
    """The rate of update `step` (0-based) of `num_steps`: linear warm-up, then cosine (Loshchilov
    & Hutter 2017)."""
    warmup = max(1, round(settings.warmup * num_steps))
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    progress = (step - warmup) / max(1, num_steps - warmup)  # 0 to 1
    share = 0.5 * (1 + math.cos(math.pi * progress))
    return settings.lr * (settings.final_lr + (1 - settings.final_lr) * share)


def adamw(settings: config.Optim, model: nn.Module) -> torch.optim.AdamW:
    """AdamW; matrices and tables decay, gains and biases do not.

    The rate starts at 0 and is set before every update: DeepSpeed makes a step of its own while it
    sets up, which must not move anything.
    """
    matrices = [weight for weight in model.parameters() if weight.dim() >= 2]
    vectors = [weight for weight in model.parameters() if weight.dim() < 2]
    groups = [
        {"params": matrices, "weight_decay": settings.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(
        groups, lr=0.0, betas=(settings.beta1, settings.beta2), eps=1e-8, fused=True
    )
