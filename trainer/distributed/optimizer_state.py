"""Read and set whole weights and moments of a run, in this process or partitioned among the
processes by DeepSpeed's ZeRO.

Both classes have the same methods, so a checkpoint does not depend on the engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from trainer.optim.optimizer import KINDS, Optimizer


class LocalState:
    """Optimizer state that every process holds whole."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def init_moments(self, step: int) -> None:
        """Make the moments, as after `step` updates."""
        for group in self.optimizer.param_groups:
            for weight in group["params"]:
                self.optimizer.init_state(weight, step, group["kind"])

    def weight(self, weight: nn.Parameter) -> torch.Tensor:
        """Return a weight in fp32."""
        return weight.detach()

    def moment(self, weight: nn.Parameter, key: str) -> torch.Tensor:
        """Return the moment of a weight called `key`."""
        moment: torch.Tensor = self.optimizer.state[weight][key]
        return moment

    def set_weight(self, weight: nn.Parameter, value: torch.Tensor) -> None:
        """Set a weight."""
        weight.data.copy_(value)

    def set_moment(self, weight: nn.Parameter, key: str, value: torch.Tensor) -> None:
        """Set a moment."""
        self.optimizer.state[weight][key].copy_(value)


class ZeroState:
    """Optimizer state that ZeRO has partitioned: all processes must call each method together, and
    each sets its own partition."""

    def __init__(self, optimizer: Optimizer, zero: Any, rank: int, num_processes: int) -> None:
        """`zero` is DeepSpeed's optimizer, which updates its partitions by `optimizer`."""
        self.optimizer, self.zero = optimizer, zero
        self.rank, self.num_processes = rank, num_processes
        self.init_moments(0)
        self.find_element_ids()

    def init_moments(self, step: int) -> None:
        """Make the moments, as after `step` updates.

        During the first update the moments would be made group by group, and ZeRO-1 and 2 would
        link weights to moments after the first group, so the other groups would lack them.
        """
        for group, partition in self.partitions():
            self.optimizer.init_state(partition, step, group["kind"])
        if hasattr(self.zero, "_lazy_init_hp_params_optimizer_state"):  # ZeRO-3 links nothing
            self.zero._lazy_init_hp_params_optimizer_state()

    def partitions(self) -> Iterator[tuple[dict[str, Any], torch.Tensor]]:
        """Yield the groups of weights, each with the flat partition that this process updates."""
        groups = self.zero.optimizer.param_groups
        if hasattr(self.zero, "fp32_partitioned_groups_flat"):  # ZeRO-3 empties groups at rest
            for number, partition in enumerate(self.zero.fp32_partitioned_groups_flat):
                yield groups[self.zero.sub_group_to_group_id[number]], partition
        else:
            yield from ((group, partition) for group in groups for partition in group["params"])

    def find_element_ids(self) -> None:
        """Find the elements of Muon's matrices in this process's partitions: set the first moments
        to the numbers of the elements, and read them back from the partitions.

        Example: two matrices of two elements over two processes. The moments are set to 1 2 and
        3 4; then the first process reads 1 2 in its partition and the second 3 4."""
        first = 1
        for weight, shape in zip(self.optimizer.matrices, self.optimizer.shapes, strict=True):
            element_ids = torch.arange(first, first + shape.numel(), dtype=torch.int32)
            as_floats = element_ids.view(torch.float32).view(shape)  # the same bits, not rounded
            self.set_moment(weight, "exp_avg", as_floats)
            first += shape.numel()
        for group, partition in self.partitions():
            if KINDS[group["kind"]].needs_matrices:
                as_floats = self.optimizer.state[partition]["exp_avg"]
                self.optimizer.element_ids[partition] = as_floats.view(torch.int32).long()
                as_floats.zero_()

    def weight(self, weight: nn.Parameter) -> torch.Tensor:
        """Return a weight in fp32, whole."""
        from deepspeed.utils import safe_get_full_fp32_param

        whole: torch.Tensor = safe_get_full_fp32_param(weight)
        return whole

    def moment(self, weight: nn.Parameter, key: str) -> torch.Tensor:
        """Return the moment of a weight called `key`, whole."""
        from deepspeed.utils import safe_get_full_optimizer_state

        whole: torch.Tensor = safe_get_full_optimizer_state(weight, key)
        return whole

    def set_weight(self, weight: nn.Parameter, value: torch.Tensor) -> None:
        """Set a weight: the copy for the matrix products and the copy that the update changes."""
        from deepspeed.utils import safe_set_full_fp32_param, safe_set_local_fp32_param

        if hasattr(weight, "ds_tensor"):
            partition = self.local_partition(weight, value)
            weight.ds_tensor.data.copy_(partition)
            safe_set_local_fp32_param(weight, partition)
        else:
            weight.data.copy_(value)
            safe_set_full_fp32_param(weight, value)

    def set_moment(self, weight: nn.Parameter, key: str, value: torch.Tensor) -> None:
        """Set a moment."""
        from deepspeed.utils import safe_set_full_optimizer_state, safe_set_local_optimizer_state

        if hasattr(weight, "ds_tensor"):
            safe_set_local_optimizer_state(weight, self.local_partition(weight, value), key)
        else:
            safe_set_full_optimizer_state(weight, value, key)

    def local_partition(self, weight: Any, value: torch.Tensor) -> torch.Tensor:
        """Return this process's partition of a value under ZeRO-3, which rounds partitions up;
        safe_set_full_* fails there."""
        size = weight.ds_tensor.numel()
        rest = size * self.num_processes - value.numel()
        part: torch.Tensor = functional.pad(value.flatten(), (0, rest)).split(size)[self.rank]
        return part
