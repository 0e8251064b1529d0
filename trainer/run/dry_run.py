"""What a run would be, before it begins: `--run.dry_run`.

Speed and memory are measured over a few updates of the real run, with a learning rate of 0; nothing
is written.
"""

from __future__ import annotations

import time

import psutil  # type: ignore[import-untyped]
import torch
from tqdm import tqdm

from trainer.model.flops import wait
from trainer.run.loop import Trainer
from trainer.run.plan import plan, table

WARM_UP, MEASURED = 2, 5  # updates


def dry_run(trainer: Trainer) -> str:
    """Return the plan of a run with the speed and memory of a few of its updates."""
    runtime, tokens = trainer.runtime, trainer.global_batch * trainer.context
    about = "measuring (the first update compiles)" if trainer.is_compiled else "measuring"
    steps = range(WARM_UP + MEASURED)
    for step in tqdm(steps, desc=about, unit="update", leave=False, disable=not runtime.is_main):
        if step == WARM_UP:
            wait(runtime.device)
            start = time.perf_counter()
        trainer.engine.update(trainer.batches.of(step), 0.0)
    wait(runtime.device)
    seconds = (time.perf_counter() - start) / MEASURED
    minutes = trainer.num_steps * seconds / 60
    return table(
        plan(trainer)
        | {
            "speed": f"{tokens / seconds:,.0f} tokens/s, {seconds:.2f} s an update "
            f"(mean of {MEASURED})",
            "memory": f"{memory(runtime.device):.2f} GiB a process",
            "time": f"{minutes / 60:,.1f} hours" if minutes >= 90 else f"{minutes:,.1f} minutes",
        }
    )


def memory(device: torch.device) -> float:
    """Return the GiB that this process holds: at most on a GPU, or in all after its updates."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return float(psutil.Process().memory_info().rss) / 2**30
