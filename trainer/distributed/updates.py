"""One update of the weights: by data-parallel processes without DeepSpeed, or by DeepSpeed."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.distributed
from accelerate import Accelerator
from torch.nn.utils import clip_grad_norm_

from trainer.model.loss import NextTokenLoss
from trainer.optim.optimizer import Optimizer
from trainer.output.console import first_line, to_stderr

WARM_UP = 3  # calls before the capture: libraries compile, choose kernels and allocate memory
Function = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


class CudaGraph:
    """A function that is captured once on a GPU and replayed: the few hundred kernels of an update
    with one launch.

    The function takes a tensor of a fixed shape. All other memory that it reads and writes must
    keep its address. It must not wait for the device, nor depend on the state that an interrupted
    call leaves: a capture may fail anywhere.

    The first calls, and all calls on a CPU, run the function without a capture. So do all calls
    after a capture that failed, with one message.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.warm_up = WARM_UP
        self.graph: torch.cuda.CUDAGraph | None = None
        self.gives_up = False

    def __call__(self, value: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the results of the function for `value`, as new tensors."""
        if value.device.type != "cuda" or self.gives_up or self.warm_up:
            self.warm_up = max(0, self.warm_up - 1)
            return self.function(value)
        if self.graph is None:
            self.capture(value)
            return self(value)
        self.input.copy_(value)
        self.graph.replay()
        return tuple(output.clone() for output in self.outputs)

    def capture(self, value: torch.Tensor) -> None:
        """Capture the function's kernels without running them."""
        self.input = value.clone()
        # The capture allocates its own memory; free what the warm-up left in the cache.
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        try:
            # NCCL's watchdog queries events meanwhile: forbid waiting in this thread only.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.outputs = self.function(self.input)
        except RuntimeError as error:
            self.gives_up = True
            # A failed capture leaves its stream as the thread's current stream.
            torch.cuda.set_stream(torch.cuda.default_stream(value.device))
            to_stderr(
                f"CUDA graphs are off ({first_line(error)}): every kernel of an update is "
                "launched by itself, which is slower for small updates"
            )
        else:
            self.graph = graph


class DataParallelUpdate:
    """Forward, backward, average, clip and step, for a fixed number of blocks; captured on a GPU.

    Each process computes the gradient of its blocks, one all-reduce averages it, and each process
    updates its own copy of the weights. The gradient of 20M parameters is so small that overlapping
    the all-reduce with the backward pass, as DistributedDataParallel does, costs more time on the
    host than it gains; and without overlap the whole update can be captured.
    """

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
        if num_processes > 1:  # all start from the main process's weights
            for weight in self.weights:
                torch.distributed.broadcast(weight.data, src=0)
        self.captured = CudaGraph(self.compute)

    def __call__(self, blocks: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one update at the learning rate `rate` and return what `compute` returns."""
        self.optimizer.set_rate(rate)
        nats, norm = self.captured(blocks)
        return nats, norm

    def compute(self, blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one update on `blocks`, (accumulation, micro_batch, context + 1) compact ids.
        Return this process's mean nats per token, and the norm of the averaged gradient before
        clipping."""
        self.optimizer.zero_grad()  # first: a failed capture leaves gradients
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
            [part.view_as(gradient) for part, gradient in zip(parts, gradients, strict=True)],
        )


class DeepSpeedUpdate:
    """Forward, backward and step through Accelerate. DeepSpeed averages, clips and steps itself
    at the last micro-batch; an update that is not finite is skipped.

    Attributes:
        engine: DeepSpeed's, around the model.
        optimizer: Accelerate's wrapper; its own `optimizer` is DeepSpeed's, with ZeRO's partitions.
    """

    def __init__(self, accelerator: Accelerator, model: NextTokenLoss, optimizer: Optimizer):
        self.accelerator, self.own = accelerator, optimizer
        self.engine, self.optimizer = accelerator.prepare(model, optimizer)

    def __call__(self, blocks: torch.Tensor, rate: float) -> tuple[torch.Tensor, torch.Tensor]:
        """Make one update at the learning rate `rate`: see `TrainingEngine.update`."""
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
