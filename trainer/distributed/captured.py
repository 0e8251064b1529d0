"""A computation that is the same every time, captured once on a GPU and replayed: the few hundred
kernels of an update for the price of one launch (CUDA graphs)."""

from __future__ import annotations

import sys
from collections.abc import Callable

import torch

WARM_UP = 3  # calls before the capture: compiling, and libraries choose kernels and take memory
Function = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


class Captured:
    """A function of a tensor whose shape never changes. Whatever else it reads and writes must stay
    where it is in memory, it must not wait for the device, and it must not depend on what a call
    that broke off left behind: a capture may fail anywhere.

    The first calls run it as it is, and so do all calls on a CPU or where the capture fails, which
    is said once.
    """

    def __init__(self, function: Function) -> None:
        self.function = function
        self.warm_up = WARM_UP
        self.graph: torch.cuda.CUDAGraph | None = None
        self.gives_up = False

    def __call__(self, value: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The function of `value`, in tensors of their own."""
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
        """Note the function's kernels without running them."""
        self.input = value.clone()
        # The capture has memory of its own; what the warm-up left unused goes back to the card.
        torch.cuda.synchronize()
        torch.cuda.empty_cache()
        graph = torch.cuda.CUDAGraph()
        try:
            # NCCL's watchdog asks for its events meanwhile: only this thread is kept from waiting.
            with torch.cuda.graph(graph, capture_error_mode="thread_local"):
                self.outputs = self.function(self.input)
        except RuntimeError as error:
            self.gives_up = True
            # A capture that breaks off leaves its own stream as the thread's current one.
            torch.cuda.set_stream(torch.cuda.default_stream(value.device))
            print(
                f"CUDA graphs are off ({str(error).splitlines()[0]}): every kernel of an update is "
                "launched by itself, which is slower for small updates",
                file=sys.stderr,
            )
        else:
            self.graph = graph
