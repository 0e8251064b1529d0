"""The learning rate as a function of the step."""

from __future__ import annotations

import math

from trainer.settings.optim import Optim


def learning_rate(settings: Optim, step: int, num_steps: int) -> float:
    """Return the rate of update `step` (0-based) of `num_steps`: linear warm-up, then cosine
    (Loshchilov & Hutter 2017), or constant and then linear to the end (Hu et al. 2024)."""
    warmup = warmup_steps(settings, num_steps)
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    if settings.schedule == "cosine":
        progress = (step - warmup) / max(1, num_steps - warmup)  # 0 to 1
        fraction = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        falling = num_steps - level_steps(settings, num_steps)
        fraction = min(1.0, (num_steps - step) / falling)
    return settings.lr * (settings.final_lr_ratio + (1 - settings.final_lr_ratio) * fraction)


def warmup_steps(settings: Optim, num_steps: int) -> int:
    """Return the number of updates in which the rate rises."""
    return settings.warmup_steps or max(1, round(settings.warmup_ratio * num_steps))


def level_steps(settings: Optim, num_steps: int) -> int:
    """Return the number of updates of a `wsd` run before its rate falls, which do not depend on its
    length."""
    longest = num_steps - warmup_steps(settings, num_steps)
    return num_steps - max(1, min(round(settings.decay_ratio * num_steps), longest))
