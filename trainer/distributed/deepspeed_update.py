"""An update by DeepSpeed, which averages, clips and steps by itself at the last micro-batch."""

from __future__ import annotations

import torch
from accelerate import Accelerator

from trainer.model.loss import NextTokenLoss
from trainer.optim.optimizer import Optimizer


class DeepSpeedUpdate:
    """Forward, backward and step through Accelerate; an update that is not finite is left out.

    Attributes:
        engine: DeepSpeed's, around the model.
        optimizer: Accelerate's wrapper; its own `optimizer` is DeepSpeed's, with ZeRO's partitions.
    """

    def __init__(self, accelerator: Accelerator, model: NextTokenLoss, optimizer: Optimizer):
        self.accelerator, self.own = accelerator, optimizer
        self.engine, self.optimizer = accelerator.prepare(model, optimizer)

    def __call__(self, blocks: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """One update at the learning rate `rate`: see `TrainingEngine.update`."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        nats = torch.zeros((), device=blocks.device)
        for block in blocks:
            with self.accelerator.accumulate(self.engine):
                loss = self.engine(block[:, :-1], block[:, 1:])
                self.accelerator.backward(loss)
            nats += loss.detach() / len(blocks)
        norm = torch.as_tensor(self.engine.get_global_grad_norm(), device=blocks.device)
        self.own.skip_unless_finite(norm)
        return nats, norm
