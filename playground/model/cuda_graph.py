"""CUDA graphs: a computation of a fixed number of rows is recorded once, then replayed, so that a
step of a hundred kernels costs one launch.

Any number of rows is computed in parts of the fixed number, the last part padded. So a row meets
the same kernels in the same shapes in every batch. Without a GPU the function is called directly,
which lets tests run everything here but `record`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

WARM_UP = 3  # runs before the recording, in which libraries choose kernels and allocate memory
Function = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


class FixedBatch:
    """Applies a function of (rows, ...) to any number of rows. The function returns tensors of
    (rows, ...), in which no row depends on another."""

    def __init__(self, function: Function, padding: torch.Tensor, pool: Any = None) -> None:
        """`padding` (fixed number of rows, ...) fills unused rows; `pool`: memory shared with other
        graphs of the same thread (torch.cuda.graph_pool_handle)."""
        self.function, self.padding, self.pool = function, padding, pool
        self.input = padding.clone()
        self.recorded: torch.cuda.CUDAGraph | None = None
        self.outputs: tuple[torch.Tensor, ...] = ()
        if padding.device.type == "cuda":
            try:
                self.record()
            except RuntimeError as error:
                self.recorded = None
                # A failed recording leaves its own stream as the thread's current one.
                torch.cuda.set_stream(torch.cuda.default_stream(padding.device))
                print_once(
                    f"CUDA graphs are off ({str(error).splitlines()[0]}): every kernel of a step "
                    "is launched separately, which is slower"
                )

    @torch.inference_mode()
    def record(self) -> None:
        """Warm up the function on a stream of its own, and record its kernels there."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(self.input)
        torch.cuda.current_stream().wait_stream(stream)
        recorded = torch.cuda.CUDAGraph()
        # Another model's thread may allocate memory meanwhile, so only this thread is captured.
        with torch.cuda.graph(
            recorded, pool=self.pool, stream=stream, capture_error_mode="thread_local"
        ):
            self.outputs = self.function(self.input)
        self.recorded = recorded

    @torch.inference_mode()
    def __call__(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the function's tensors for values (any number of rows, ...)."""
        outputs = []
        for part in values.split(len(self.padding)):
            self.input.copy_(self.padding)
            self.input[: len(part)] = part
            if self.recorded is None:
                self.outputs = self.function(self.input)
            else:
                self.recorded.replay()
            outputs.append([output[: len(part)].clone() for output in self.outputs])
        return tuple(torch.cat(column) for column in zip(*outputs, strict=True))


@cache
def print_once(message: str) -> None:
    """Print a message to stderr, but only once: every recorded function would repeat it."""
    print(message, file=sys.stderr)


@contextmanager
def out_of_memory() -> Iterator[None]:
    """Turn PyTorch's out-of-memory error into a MemoryError."""
    try:
        yield
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        raise MemoryError from None
