"""An update without DeepSpeed: each process computes the gradient of its blocks, one all-reduce
averages it, and each moves its own copy of the weights.

The gradient of 20M parameters is so small that overlapping the all-reduce with the backward pass,
as DistributedDataParallel does, gains less than its bookkeeping on the host costs; and without it
the whole update can be captured.
"""

from __future__ import annotations

import torch
import torch.distributed
from torch.nn.utils import clip_grad_norm_

from trainer.distributed.captured import Captured
from trainer.model.loss import NextTokenLoss
from trainer.optim.optimizer import Optimizer


class PlainUpdate:
    """Forward, backward, average, clip and step, for a fixed number of blocks; captured on a
    GPU."""

    def __init__(
        self,
        model: NextTokenLoss,
        optimizer: Optimizer,
        max_grad_norm: float,
        num_processes: int,
    ) -> None:
        self.model, self.optimizer, self.max_grad_norm = model, optimizer, max_grad_norm
        self.num_processes = num_processes
        self.weights = list(model.parameters())
        if num_processes > 1:  # all start from the main process's weights, whatever drew them
            for weight in self.weights:
                torch.distributed.broadcast(weight.data, src=0)
        self.captured = Captured(self.compute)

    def __call__(self, blocks: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One update at the learning rate `rate`: see `compute`."""
        self.optimizer.set_rate(rate)
        nats, norm = self.captured(blocks)
        return nats, norm

    def compute(self, blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """One update on `blocks`, (accumulation, micro_batch, context + 1) slots.

        Returns:
            This process's mean nats per token, and the norm of the averaged gradient before
            clipping.
        """
        self.optimizer.zero_grad()  # first: a capture that broke off leaves gradients behind
        nats = torch.zeros((), device=blocks.device)
        for block in blocks:
            loss = self.model(block[:, :-1], block[:, 1:]) / len(blocks)
            loss.backward()
            nats += loss.detach()
        if self.num_processes > 1:
            self.average_gradients()
        norm = clip_grad_norm_(self.weights, self.max_grad_norm)
        self.optimizer.skip_unless_finite(norm)
        self.optimizer.step()
        return nats, norm

    def average_gradients(self) -> None:
        """Replace the gradients by their mean over the processes."""
        gradients = [weight.grad for weight in self.weights if weight.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        torch.distributed.all_reduce(flat)
        flat /= self.num_processes
        parts = flat.split([gradient.numel() for gradient in gradients])
        torch._foreach_copy_(
            gradients,
            [part.view_as(its) for part, its in zip(parts, gradients, strict=True)],
        )
