"""Lion: the sign of an interpolated momentum (Chen et al. 2023), scaled to the length of
AdamW's update, so that rate and weight decay mean the same in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import torch

from trainer.optim.muon import ADAM_RMS

if TYPE_CHECKING:
    from trainer.optim.optimizer import Optimizer


def update(optimizer: Optimizer, group: dict[str, Any], weights: list[torch.Tensor]) -> None:
    """Update the weights of a group, element by element: whole weights or flat partitions."""
    beta1, beta2 = group["betas"]
    skipped = optimizer.found_inf > 0
    for weight in weights:
        gradient = cast(torch.Tensor, weight.grad)
        momentum = optimizer.state[weight]["exp_avg"]
        change = ADAM_RMS * momentum.lerp(gradient, 1 - beta1).sign()
        change = torch.where(skipped, 0.0, change + group["weight_decay"] * weight)
        weight.sub_(group["lr"] * change)
        momentum.copy_(torch.where(skipped, momentum, momentum.lerp(gradient, 1 - beta2)))
