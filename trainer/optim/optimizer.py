"""The optimizer: AdamW, or Muon for the matrices inside the layers."""

from __future__ import annotations

import re
from typing import Any, cast

import torch
import torch.distributed
from torch import nn

from trainer.optim.muon import orthogonalize
from trainer.settings.blocks import LAYERS
from trainer.settings.optim import Optim

INSIDE_A_LAYER = rf"\.({'|'.join(LAYERS)})\.\d+\."


def new_optimizer(
    settings: Optim, model: nn.Module, dtype: torch.dtype = torch.float32
) -> Optimizer:
    """The optimizer that the settings ask for; `dtype` is Muon's arithmetic.

    Matrices and embeddings decay, gains and biases do not. Muon takes the matrices inside the
    blocks; embeddings, gains and biases are AdamW's.
    """
    block_matrices, embeddings, vectors = [], [], []
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            vectors.append(weight)
        elif settings.optimizer == "muon" and re.search(INSIDE_A_LAYER, name):
            block_matrices.append(weight)
        else:
            embeddings.append(weight)
    return Optimizer(settings, block_matrices, embeddings, vectors, dtype)


class Optimizer(torch.optim.AdamW):
    """AdamW, with Muon for the group of matrices that is marked so.

    Muon (Jordan 2024) replaces the momentum of a matrix by the nearest matrix whose singular values
    are all one, scaled so that it moves a weight as far as AdamW would (Liu et al. 2025): a rate
    means the same in both.

    Under ZeRO a process holds a flat partition of the matrices instead of themselves. Momentum is
    updated partition by partition; the partitions of all processes are then put together,
    orthogonalized whole, and each process keeps its own partition of the result.

    Attributes:
        element_ids: for each flat partition, the numbers of its elements among all elements of
            Muon's matrices, counted from 1; 0 is padding. `ZeroState` finds them out.
        dtype: arithmetic of the orthogonalization.
        num_skipped: how many updates did not happen; a scalar on the device.
        found_inf: 1.0 where an update must not happen, else 0.0; AdamW's fused kernel knows it too.
    """

    num_skipped: torch.Tensor
    found_inf: torch.Tensor

    def __init__(
        self,
        settings: Optim,
        block_matrices: list[nn.Parameter],
        embeddings: list[nn.Parameter],
        vectors: list[nn.Parameter],
        dtype: torch.dtype,
    ) -> None:
        """The rate starts at 0 and is set before every update: DeepSpeed makes a step of its own
        while it sets up, which must not move anything."""
        groups: list[dict[str, Any]] = [
            {"params": block_matrices, "weight_decay": settings.weight_decay, "muon": True},
            {"params": embeddings, "weight_decay": settings.weight_decay, "muon": False},
            {"params": vectors, "weight_decay": 0.0, "muon": False},
        ]
        groups = [group for group in groups if group["params"]]
        betas = (settings.beta1, settings.beta2)
        super().__init__(groups, lr=0.0, betas=betas, eps=1e-8, fused=True)
        self.momentum = settings.muon_momentum
        self.ratio = settings.muon_lr / settings.lr
        self.block_matrices = block_matrices
        self.shapes = [weight.shape for weight in block_matrices]  # ZeRO-3 leaves them without
        self.element_ids: dict[torch.Tensor, torch.Tensor] = {}
        self.dtype = dtype

    def to_device(self, device: torch.device, *, capturable: bool) -> None:
        """Keep what a step reads and writes besides the weights on `device`; the learning rate too
        if a captured update is to read it."""
        self.num_skipped = torch.zeros((), device=device)
        self.found_inf = torch.zeros((), device=device)
        if capturable:
            rate = torch.zeros((), device=device)
            for group in self.param_groups:
                group["lr"], group["capturable"] = rate, True

    def set_rate(self, rate: float) -> None:
        """The learning rate of the next update."""
        for group in self.param_groups:
            if isinstance(group["lr"], torch.Tensor):
                group["lr"].fill_(rate)  # the same tensor in all groups
                return
            group["lr"] = rate

    def skip_unless_finite(self, norm: torch.Tensor) -> None:
        """Skip the next step if the gradient's norm is not finite, or if a step was skipped before.
        Does not wait for the device."""
        self.found_inf = (~torch.isfinite(norm) | (self.num_skipped > 0)).float()
        self.num_skipped += self.found_inf

    def state_keys(self, weight: torch.Tensor) -> tuple[str, ...]:
        """Names of a weight's moments: Muon has no second one."""
        if any(weight is matrix for matrix in self.block_matrices):
            return ("exp_avg",)
        return ("exp_avg", "exp_avg_sq")

    def init_state(self, weight: torch.Tensor, step: int, *, muon: bool) -> None:
        """Make the moments of a weight, or of a flat partition, zero, as after `step` updates."""
        state = self.state[weight]
        for key in ("exp_avg",) if muon else ("exp_avg", "exp_avg_sq"):
            state.setdefault(key, torch.zeros_like(weight))
        state["step"] = torch.tensor(float(step), device=weight.device)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Move every weight that has a gradient."""
        for group in self.param_groups:
            if not group["muon"]:
                continue
            weights = [weight for weight in group["params"] if weight.grad is not None]
            for shape in dict.fromkeys(weight.shape for weight in weights):
                same_shape = [weight for weight in weights if weight.shape == shape]
                self.muon_update(same_shape, group["lr"] * self.ratio, group["weight_decay"])
            for weight in weights:
                weight.grad = None  # so that AdamW passes it over
        super().step(closure)

    def muon_update(
        self, weights: list[torch.Tensor], rate: float | torch.Tensor, decay: float
    ) -> None:
        """Muon's update of weights of one shape: whole matrices, or one flat partition of them
        all."""
        for weight in weights:
            if not self.state[weight]:
                self.init_state(weight, 0, muon=True)
        momenta = [self.state[weight]["exp_avg"] for weight in weights]
        skipped = self.found_inf > 0
        gradient = torch.stack([cast(torch.Tensor, weight.grad) for weight in weights])
        before = torch.stack(momenta)  # (count, *shape)
        after = torch.where(skipped, before, before.lerp(gradient, 1 - self.momentum))
        torch._foreach_copy_(momenta, after.unbind())
        direction = gradient.lerp(after, self.momentum)  # Nesterov's
        if direction.dim() == 3:
            update = orthogonalize(direction, self.dtype)
        elif weights[0] in self.element_ids:
            update = self.orthogonalize_partition(weights[0], direction)
        else:  # DeepSpeed's own first step, on gradients of zero
            return
        moved = torch.stack(weights)
        update = torch.where(skipped, 0.0, update + decay * moved)
        torch._foreach_copy_(weights, moved.sub_(rate * update).unbind())

    def orthogonalize_partition(
        self, partition: torch.Tensor, direction: torch.Tensor
    ) -> torch.Tensor:
        """The elements of the orthogonalized matrices that a flat partition holds, (1, size)."""
        element_ids = self.element_ids[partition]
        size = 1 + sum(shape.numel() for shape in self.shapes)
        whole = torch.zeros(size, device=partition.device)
        whole[element_ids] = direction[0]
        torch.distributed.all_reduce(whole)  # every element is in one partition only
        matrices = whole[1:].split([shape.numel() for shape in self.shapes])
        for shape in dict.fromkeys(self.shapes):
            pairs = zip(matrices, self.shapes, strict=True)
            same_shape = [matrix.view(shape) for matrix, its in pairs if its == shape]
            orthogonal = orthogonalize(torch.stack(same_shape), self.dtype)
            torch._foreach_copy_(same_shape, orthogonal.unbind())
        return whole[element_ids][None]
