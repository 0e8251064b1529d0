"""Turn out-of-memory errors, on a GPU or a CPU, into a message with a remedy."""

from __future__ import annotations

import torch

from trainer.distributed.runtime import Runtime

REFUSALS = ("out of memory", "can't allocate memory", "not enough memory", "_ALLOC_FAILED")


def is_full(error: BaseException) -> bool:
    """Return whether an error says that memory ran out; on a CPU the error has no own type."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in REFUSALS)
    )


def advice(runtime: Runtime | None) -> str:
    """Return the remedy if a micro-batch of `runtime` does not fit into memory; with None, before
    the first update."""
    smaller = "lower model.context, model.hidden or model.num_layers"
    if runtime is None:
        return f"the memory is full before the first update: {smaller}"
    size, per_process = runtime.micro_batch, runtime.micro_batch * runtime.accumulation
    half = max((part for part in range(1, size // 2 + 1) if per_process % part == 0), default=0)
    todo = f"try --runtime.micro_batch {half}, which learns the same" if half else smaller
    return (
        f"the memory is full with runtime.micro_batch {size}: {todo}; checkpoints are not affected"
    )
