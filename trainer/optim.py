"""What moves the weights: AdamW, or Muon for the matrices inside the blocks, and the learning rate
as a function of the step."""

from __future__ import annotations

import math
import re
from typing import Any, cast

import torch
import torch.distributed
from torch import nn

from trainer import config

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Jordan 2024, kellerjordan.github.io/posts/muon
ITERATIONS = 5
ADAM_RMS = 0.2  # root mean square of AdamW's update, which Muon's is brought to: Liu et al. 2025


def learning_rate(settings: config.Optim, step: int, num_steps: int) -> float:
    """The rate of update `step` (0-based) of `num_steps`: linear warm-up, then cosine (Loshchilov
    & Hutter 2017), or level and then a straight line down (Hu et al. 2024)."""
    warmup = max(1, round(settings.warmup_ratio * num_steps))
    if step < warmup:
        return settings.lr * (step + 1) / warmup
    if settings.schedule == "cosine":
        progress = (step - warmup) / max(1, num_steps - warmup)  # 0 to 1
        share = 0.5 * (1 + math.cos(math.pi * progress))
    else:
        falling = max(1, min(round(settings.decay_ratio * num_steps), num_steps - warmup))
        share = min(1.0, (num_steps - step) / falling)
    return settings.lr * (settings.final_lr_ratio + (1 - settings.final_lr_ratio) * share)


def new_optimizer(settings: config.Optim, model: nn.Module) -> Optimizer:
    """The optimizer that the settings ask for.

    Matrices and tables decay, gains and biases do not. Muon takes the matrices inside the blocks;
    tables, gains and biases are AdamW's.
    """
    inner, tables, vectors = [], [], []
    for name, weight in model.named_parameters():
        if weight.dim() < 2:
            vectors.append(weight)
        elif settings.optimizer == "muon" and re.search(r"\.(layers|h)\.\d+\.", name):
            inner.append(weight)
        else:
            tables.append(weight)
    return Optimizer(settings, inner, tables, vectors)


class Optimizer(torch.optim.AdamW):
    """AdamW, with Muon for the group of matrices that is marked so.

    Muon (Jordan 2024) replaces the momentum of a matrix by the nearest matrix whose singular values
    are all one, scaled so that it moves a weight as far as AdamW would (Liu et al. 2025): a rate
    means the same in both.

    Under ZeRO a process holds a flat share of the matrices instead of themselves. Momentum is taken
    share by share; the shares of all processes are then put together, orthogonalized whole, and
    each process keeps its own share of the result. `places` says which elements a share holds.

    Attributes:
        places: for each flat share, the place of its elements among all elements of Muon's
            matrices, counted from 1; 0 is padding.
        dtype: arithmetic of the orthogonalization.
        refused: how many updates did not happen; a scalar on the device.
        found_inf: 1.0 where an update must not happen, else 0.0; AdamW's fused kernel knows it too.
    """

    refused: torch.Tensor
    found_inf: torch.Tensor

    def __init__(
        self,
        settings: config.Optim,
        inner: list[nn.Parameter],
        tables: list[nn.Parameter],
        vectors: list[nn.Parameter],
    ) -> None:
        """The rate starts at 0 and is set before every update: DeepSpeed makes a step of its own
        while it sets up, which must not move anything."""
        groups: list[dict[str, Any]] = [
            {"params": inner, "weight_decay": settings.weight_decay, "muon": True},
            {"params": tables, "weight_decay": settings.weight_decay, "muon": False},
            {"params": vectors, "weight_decay": 0.0, "muon": False},
        ]
        groups = [group for group in groups if group["params"]]
        betas = (settings.beta1, settings.beta2)
        super().__init__(groups, lr=0.0, betas=betas, eps=1e-8, fused=True)
        self.momentum = settings.muon_momentum
        self.ratio = settings.muon_lr / settings.lr
        self.inner = inner
        self.shapes = [weight.shape for weight in inner]  # ZeRO-3 leaves the weights without
        self.places: dict[torch.Tensor, torch.Tensor] = {}
        self.dtype = torch.float32

    def place(self, device: torch.device, *, with_rate: bool) -> None:
        """Keep what a step reads and writes besides the weights on `device`; the learning rate too
        if a captured update is to read it."""
        self.refused = torch.zeros((), device=device)
        self.found_inf = torch.zeros((), device=device)
        if with_rate:
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

    def refuse_unless_finite(self, norm: torch.Tensor) -> None:
        """Keep the next step from happening if the gradient's norm is not finite, or if a step was
        refused before. Does not wait for the device."""
        self.found_inf = (~torch.isfinite(norm) | (self.refused > 0)).float()
        self.refused += self.found_inf

    def moments_of(self, weight: torch.Tensor) -> tuple[str, ...]:
        """Names of what is remembered of a weight: Muon has no second moment."""
        if any(weight is matrix for matrix in self.inner):
            return ("exp_avg",)
        return ("exp_avg", "exp_avg_sq")

    def begin(self, weight: torch.Tensor, step: int, *, muon: bool) -> None:
        """Make what is remembered of a weight, or of a flat share, as after `step` updates."""
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
                alike = [weight for weight in weights if weight.shape == shape]
                self.move(alike, group["lr"] * self.ratio, group["weight_decay"])
            for weight in weights:
                weight.grad = None  # so that AdamW passes it over
        super().step(closure)

    def move(self, weights: list[torch.Tensor], rate: float | torch.Tensor, decay: float) -> None:
        """Muon's update of weights of one shape: whole matrices, or one flat share of them all."""
        for weight in weights:
            if not self.state[weight]:
                self.begin(weight, 0, muon=True)
        momenta = [self.state[weight]["exp_avg"] for weight in weights]
        refused = self.found_inf > 0
        gradient = torch.stack([cast(torch.Tensor, weight.grad) for weight in weights])
        before = torch.stack(momenta)  # (count, *shape)
        after = torch.where(refused, before, before.lerp(gradient, 1 - self.momentum))
        torch._foreach_copy_(momenta, after.unbind())
        direction = gradient.lerp(after, self.momentum)  # Nesterov's
        if direction.dim() == 3:
            update = orthogonalize(direction, self.dtype)
        elif weights[0] in self.places:
            update = self.share(weights[0], direction)
        else:  # DeepSpeed's own first step, on gradients of zero
            return
        moved = torch.stack(weights)
        update = torch.where(refused, 0.0, update + decay * moved)
        torch._foreach_copy_(weights, moved.sub_(rate * update).unbind())

    def share(self, flat: torch.Tensor, direction: torch.Tensor) -> torch.Tensor:
        """The part of the orthogonalized matrices that a flat share holds, (1, size)."""
        places = self.places[flat]
        whole = torch.zeros(1 + sum(shape.numel() for shape in self.shapes), device=flat.device)
        whole[places] = direction[0]
        torch.distributed.all_reduce(whole)  # every place is in one share only
        parts = whole[1:].split([shape.numel() for shape in self.shapes])
        for shape in dict.fromkeys(self.shapes):
            pairs = zip(parts, self.shapes, strict=True)
            alike = [part.view(shape) for part, its in pairs if its == shape]
            torch._foreach_copy_(alike, orthogonalize(torch.stack(alike), self.dtype).unbind())
        return whole[places][None]


def orthogonalize(matrices: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """About the nearest matrices with orthonormal rows or columns, (count, rows, columns), scaled
    to AdamW's length.

    Five Newton-Schulz iterations bring the singular values to between 0.7 and 1.2 (Jordan 2024).
    """
    tall = matrices.shape[-2] > matrices.shape[-1]
    found = matrices.mT if tall else matrices
    found = (found / (found.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(dtype)
    a, b, c = NEWTON_SCHULZ
    for _ in range(ITERATIONS):
        gram = found @ found.mT
        found = torch.baddbmm(
            found, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), found, beta=a
        )
    found = found.to(matrices.dtype)
    return (found.mT if tall else found) * (ADAM_RMS * math.sqrt(max(matrices.shape[-2:])))
