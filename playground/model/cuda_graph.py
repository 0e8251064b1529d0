"""A computation of a fixed number of rows, recorded once on a GPU and replayed: a step of a hundred
kernels for the price of one launch (CUDA graphs).

Any number of rows can be asked for: they are computed in parts of the fixed number, the last one
filled up with padding. So a row meets the same kernels in the same shapes whoever is beside it.
Without a GPU the same computation runs as it is; that is how the tests reach all of this file but
`record`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import torch

WARM_UP = 3  # runs before the recording: libraries choose their kernels and take their memory
Function = Callable[[torch.Tensor], tuple[torch.Tensor, ...]]


class FixedBatch:
    """A function of (rows, ...) to tensors of (rows, ...), in which a row does not depend on the
    others, for any number of rows."""

    def __init__(self, function: Function, padding: torch.Tensor, pool: Any = None) -> None:
        """`padding` (fixed number of rows, ...) is computed where no row was asked for; `pool` is
        memory shared with other graphs of the same thread (torch.cuda.graph_pool_handle)."""
        self.function, self.padding, self.pool = function, padding, pool
        self.input = padding.clone()
        self.recorded: torch.cuda.CUDAGraph | None = None
        self.outputs: tuple[torch.Tensor, ...] = ()
        if padding.device.type == "cuda":
            try:
                self.record()
            except RuntimeError as error:
                self.recorded = None
                # A recording that breaks off leaves its own stream as the thread's current one.
                torch.cuda.set_stream(torch.cuda.default_stream(padding.device))
                say_once(
                    f"CUDA graphs are off ({str(error).splitlines()[0]}): every kernel of a step "
                    "is launched by itself, which is slower"
                )

    @torch.inference_mode()
    def record(self) -> None:
        """Run the function on a stream of its own, then note its kernels there without running
        them."""
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                self.function(self.input)
        torch.cuda.current_stream().wait_stream(stream)
        recorded = torch.cuda.CUDAGraph()
        # Another model's thread may take memory meanwhile: only this thread is watched.
        with torch.cuda.graph(
            recorded, pool=self.pool, stream=stream, capture_error_mode="thread_local"
        ):
            self.outputs = self.function(self.input)
        self.recorded = recorded

    @torch.inference_mode()
    def __call__(self, values: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Return the function of values (any number of rows, ...)."""
        found = []
        for part in values.split(len(self.padding)):
            self.input.copy_(self.padding)
            self.input[: len(part)] = part
            if self.recorded is None:
                self.outputs = self.function(self.input)
            else:
                self.recorded.replay()
            found.append([output[: len(part)].clone() for output in self.outputs])
        return tuple(torch.cat(column) for column in zip(*found, strict=True))


@cache
def say_once(sentence: str) -> None:
    """Print a sentence, the first time only: each recorded function would say it."""
    print(sentence, file=sys.stderr)


@contextmanager
def out_of_memory() -> Iterator[None]:
    """Turn torch's out-of-memory error into a MemoryError."""
    try:
        yield
    except torch.OutOfMemoryError:
        torch.cuda.empty_cache()
        raise MemoryError from None
