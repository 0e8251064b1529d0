"""What a run would be, before it begins: `--run.dry`.

Speed and memory are measured over a few updates of the real run, with a learning rate of 0; nothing
is written.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]
import torch

from trainer.runtime import Runtime

WARM_UP, MEASURED = 2, 5  # updates


def forecast(
    runtime: Runtime, batches: Callable[[int], object], facts: dict[str, str], *,
    steps_left: int, tokens: int,
) -> str:  # fmt: skip
    """A table of facts about a run and what a few updates show.

    Args:
        runtime: with the model in it.
        batches: this process's micro-batches of a step.
        facts: what is known already, by name.
        steps_left: updates that the run would do.
        tokens: read by an update.
    """
    for step in range(WARM_UP + MEASURED):
        if step == WARM_UP:
            wait(runtime.device)
            begin = time.perf_counter()
        runtime.update(batches(step), 0.0)  # type: ignore[arg-type]
    wait(runtime.device)
    seconds = (time.perf_counter() - begin) / MEASURED
    minutes = steps_left * seconds / 60
    lines = facts | {
        "speed": f"{tokens / seconds:,.0f} tokens/s, {seconds:.2f} s an update "
        f"(mean of {MEASURED})",
        "memory": f"{memory(runtime.device):.2f} GiB a process",
        "time": f"{minutes / 60:,.1f} hours" if minutes >= 90 else f"{minutes:,.1f} minutes",
    }
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name:{width}}{value}" for name, value in lines.items())


def wait(device: torch.device) -> None:
    """Until a GPU has done what it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize()


def memory(device: torch.device) -> float:
    """GiB that this process holds: at most on a GPU, or in all after its updates."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return float(psutil.Process().memory_info().rss) / 2**30
