"""The optimizer of a run: groups of weights, each of a kind in the table KINDS."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from trainer.optim import lion, muon
from trainer.settings.blocks import LAYERS
from trainer.settings.optim import OPTIMIZERS, Optim

INSIDE_A_LAYER = rf"\.({'|'.join(LAYERS)})\.\d+\."


@dataclass(frozen=True)
class Kind:
    """The update rule of a group of weights.

    Attributes:
        state: names of the moments of each weight.
        update: updates the weights of a group that have a gradient; None for AdamW, which has a
            fused kernel in PyTorch.
        needs_matrices: whether an update needs whole matrices, which ZeRO partitions.
    """

    state: tuple[str, ...]
    update: Callable[[Optimizer, dict[str, Any], list[torch.Tensor]], None] | None = None
    needs_matrices: bool = False


KINDS = {
    "adamw": Kind(("exp_avg", "exp_avg_sq")),
    "muon": Kind(("exp_avg",), muon.update, needs_matrices=True),
    "lion": Kind(("exp_avg",), lion.update),
}


def new_optimizer(
    settings: Optim, model: nn.Module, dtype: torch.dtype = torch.float32
) -> Optimizer:
    """Return the optimizer of the settings; `dtype` is Muon's arithmetic. Matrices and embeddings
    have weight decay, gains and biases do not."""
    kinds = OPTIMIZERS[settings.optimizer]
    groups: dict[tuple[str, float], list[nn.Parameter]] = {
        (kinds.inside_layers, settings.weight_decay): [],
        (kinds.elsewhere, settings.weight_decay): [],
        (kinds.elsewhere, 0.0): [],
    }
    for name, weight in model.named_parameters():
        is_inside = weight.dim() >= 2 and re.search(INSIDE_A_LAYER, name)
        kind = kinds.inside_layers if is_inside else kinds.elsewhere
        groups[kind, settings.weight_decay if weight.dim() >= 2 else 0.0].append(weight)
    return Optimizer(settings, groups, dtype)


class Optimizer(torch.optim.AdamW):
    """AdamW, or another kind, for each group of weights.

    Attributes:
        matrices, shapes: the weights of the kinds that need whole matrices, and their shapes, which
            ZeRO-3 removes from the weights.
        element_ids: for each flat partition, the numbers of its elements among all elements of
            `matrices`, counted from 1; 0 is padding. `ZeroState` fills it.
        dtype: arithmetic of Muon's orthogonalization.
        num_skipped: number of skipped updates, a scalar on the device.
        found_inf: 1.0 to skip an update, else 0.0; AdamW's fused kernel reads it too.
    """

    num_skipped: torch.Tensor
    found_inf: torch.Tensor

    def __init__(
        self,
        settings: Optim,
        weights: dict[tuple[str, float], list[nn.Parameter]],
        dtype: torch.dtype,
    ) -> None:
        """Make a group of each (kind, weight decay) in `weights` that is not empty.

        The rate starts at 0 and is set before every update: DeepSpeed makes a step of its own
        at its start, which must not change a weight.
        """
        groups: list[dict[str, Any]] = [
            {"params": params, "weight_decay": decay, "kind": kind}
            for (kind, decay), params in weights.items()
            if params
        ]
        betas = (settings.beta1, settings.beta2)
        super().__init__(groups, lr=0.0, betas=betas, eps=1e-8, fused=True)
        self.settings = settings
        self.kinds = {
            weight: KINDS[group["kind"]] for group in groups for weight in group["params"]
        }
        self.matrices = [weight for weight, kind in self.kinds.items() if kind.needs_matrices]
        self.shapes = [weight.shape for weight in self.matrices]
        self.element_ids: dict[torch.Tensor, torch.Tensor] = {}
        self.dtype = dtype

    def to_device(self, device: torch.device, *, capturable: bool) -> None:
        """Move the scalars of a step to `device`; with `capturable` also the learning rate, for a
        captured update."""
        self.num_skipped = torch.zeros((), device=device)
        self.found_inf = torch.zeros((), device=device)
        if capturable:
            rate = torch.zeros((), device=device)
            for group in self.param_groups:
                group["lr"], group["capturable"] = rate, True

    def set_rate(self, rate: float) -> None:
        """Set the learning rate of the next update."""
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
        """Return the names of a weight's moments."""
        return self.kinds[weight].state

    def init_state(self, weight: torch.Tensor, step: int, kind: str) -> None:
        """Make the moments of a weight, or of a flat partition, zero, as after `step` updates."""
        state = self.state[weight]
        for key in KINDS[kind].state:
            state.setdefault(key, torch.zeros_like(weight))
        state["step"] = torch.tensor(float(step), device=weight.device)

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Update every weight that has a gradient."""
        for group in self.param_groups:
            update = KINDS[group["kind"]].update
            if update is None:
                continue
            weights = [weight for weight in group["params"] if weight.grad is not None]
            for weight in weights:
                if not self.state[weight]:
                    self.init_state(weight, 0, group["kind"])
            update(self, group, weights)
            for weight in weights:
                weight.grad = None  # so that AdamW skips it
        super().step(closure)
