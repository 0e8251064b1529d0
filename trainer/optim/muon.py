"""Muon: the update is approximately the nearest matrix to the momentum with all singular values one
(Jordan 2024), scaled to the length of AdamW's update (Liu et al. 2025), so that a rate means the
same in both.

Under ZeRO a process holds a flat partition of the matrices. Momentum is updated per partition; the
partitions of all processes are then joined, orthogonalized as whole matrices, and each process
keeps its partition of the result.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import torch
import torch.distributed

if TYPE_CHECKING:
    from trainer.optim.optimizer import Optimizer

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan 2024, kellerjordan.github.io/posts/muon
ITERATIONS = 5
ADAM_RMS = 0.2  # root mean square of AdamW's update: Liu et al. 2025


def update(optimizer: Optimizer, group: dict[str, Any], weights: list[torch.Tensor]) -> None:
    """Update the weights of a group: whole matrices, or one flat partition of all matrices."""
    rate = group["lr"] * (optimizer.settings.muon_lr / optimizer.settings.lr)
    for shape in dict.fromkeys(weight.shape for weight in weights):
        same_shape = [weight for weight in weights if weight.shape == shape]
        update_stack(optimizer, same_shape, rate, group["weight_decay"])


def update_stack(
    optimizer: Optimizer, weights: list[torch.Tensor], rate: float | torch.Tensor, decay: float
) -> None:
    """Update weights of one shape."""
    momenta = [optimizer.state[weight]["exp_avg"] for weight in weights]
    momentum = optimizer.settings.muon_momentum
    skipped = optimizer.found_inf > 0
    gradient = torch.stack([cast(torch.Tensor, weight.grad) for weight in weights])
    before = torch.stack(momenta)  # (count, *shape)
    after = torch.where(skipped, before, before.lerp(gradient, 1 - momentum))
    torch._foreach_copy_(momenta, after.unbind())
    direction = gradient.lerp(after, momentum)  # Nesterov momentum
    if direction.dim() == 3:
        change = orthogonalize(direction, optimizer.dtype)
    elif weights[0] in optimizer.element_ids:
        change = orthogonalize_partition(optimizer, weights[0], direction)
    else:  # DeepSpeed's first step, on zero gradients
        return
    moved = torch.stack(weights)
    change = torch.where(skipped, 0.0, change + decay * moved)
    torch._foreach_copy_(weights, moved.sub_(rate * change).unbind())


def orthogonalize_partition(
    optimizer: Optimizer, partition: torch.Tensor, direction: torch.Tensor
) -> torch.Tensor:
    """Return the elements of the orthogonalized matrices that a flat partition holds, (1, size)."""
    element_ids, shapes = optimizer.element_ids[partition], optimizer.shapes
    size = 1 + sum(shape.numel() for shape in shapes)
    whole = torch.zeros(size, device=partition.device)
    whole[element_ids] = direction[0]
    torch.distributed.all_reduce(whole)  # every element is in one partition only
    matrices = whole[1:].split([shape.numel() for shape in shapes])
    for shape in dict.fromkeys(shapes):
        pairs = zip(matrices, shapes, strict=True)
        same_shape = [matrix.view(shape) for matrix, own in pairs if own == shape]
        orthogonal = orthogonalize(torch.stack(same_shape), optimizer.dtype)
        torch._foreach_copy_(same_shape, orthogonal.unbind())
    return whole[element_ids][None]


def orthogonalize(matrices: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Return approximately the nearest matrices with orthonormal rows or columns, (count, rows,
    columns), scaled to the length of AdamW's update.

    Five Newton-Schulz iterations bring the singular values to between 0.7 and 1.2 (Jordan 2024).
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    result = matrices.mT if tall else matrices
    result = (result / (result.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(dtype)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = result @ result.mT
        result = torch.baddbmm(
            result, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), result, beta=a
        )
    result = result.to(matrices.dtype)
    return (result.mT if tall else result) * (ADAM_RMS * math.sqrt(max(matrices.shape[-2:])))
