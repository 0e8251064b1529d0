"""A model and its optimizer over all processes, by one of two engines: the update, and the whole
state for checkpoints, which do not depend on the engine."""

from __future__ import annotations

import torch

from trainer.distributed.optimizer_state import LocalState, ZeroState
from trainer.distributed.runtime import Runtime
from trainer.distributed.updates import DataParallelUpdate, DeepSpeedUpdate
from trainer.model.loss import NextTokenLoss
from trainer.optim.optimizer import Optimizer


class TrainingEngine:
    """The model and the optimizer, which a run updates, saves and loads."""

    def __init__(self, runtime: Runtime, model: NextTokenLoss, optimizer: Optimizer) -> None:
        """Move both to the device; all processes start from the main one's weights."""
        self.watchdog, self.optimizer = runtime.watchdog, optimizer
        model.dtype = runtime.dtype
        self.names = {
            name.removeprefix("decoder."): weight for name, weight in model.named_parameters()
        }
        self.state: LocalState | ZeroState
        self.compute_update: DataParallelUpdate | DeepSpeedUpdate
        if runtime.engine == "plain":
            model.to(runtime.device)
            optimizer.to_device(runtime.device, capturable=runtime.device.type == "cuda")
            self.compute_update = DataParallelUpdate(
                model, optimizer, runtime.max_grad_norm, runtime.num_processes
            )
            self.state = LocalState(optimizer)
        else:
            optimizer.to_device(runtime.device, capturable=False)
            self.compute_update = update = DeepSpeedUpdate(runtime.accelerator, model, optimizer)
            self.state = ZeroState(
                optimizer, update.optimizer.optimizer, runtime.rank, runtime.num_processes
            )

    def update(self, blocks: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one optimizer step on `blocks`, (accumulation, micro_batch, context + 1) compact
        ids.

        An update whose gradient is not finite is skipped, and so is any after it: `num_skipped`
        counts them.

        Returns:
            Mean nats per token over this process's blocks (all processes have equally many), and
            the gradient's norm before clipping, over all processes. Neither waits for the device.
        """
        self.watchdog.heartbeat()
        return self.compute_update(blocks, rate)

    @property
    def num_skipped(self) -> int:
        """The number of skipped updates, because a gradient was not finite; waits for the
        device."""
        return int(self.optimizer.num_skipped)

    def weights(self) -> dict[str, torch.Tensor]:
        """Return the decoder's fp32 weights by name, whole, on every process; all must call."""
        return {name: self.state.weight(weight) for name, weight in self.names.items()}

    def moments(self) -> dict[str, torch.Tensor]:
        """Return the optimizer's moments, whole: `<weight>.exp_avg` and, of AdamW's,
        `<weight>.exp_avg_sq`; all processes must call."""
        return {
            f"{name}.{key}": self.state.moment(weight, key)
            for name, weight in self.names.items()
            for key in self.optimizer.state_keys(weight)
        }

    def load(
        self, weights: dict[str, torch.Tensor], moments: dict[str, torch.Tensor], step: int
    ) -> None:
        """Resume from a checkpoint taken after `step` updates, by any engine and number of
        processes."""
        self.state.init_moments(step)
        for name, weight in self.names.items():
            self.state.set_weight(weight, weights[name])
            for key in self.optimizer.state_keys(weight):
                self.state.set_moment(weight, key, moments[f"{name}.{key}"])
