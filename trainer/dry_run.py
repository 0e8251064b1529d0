"""What a run would be, before it begins: `--run.dry_run`.

Speed and memory are measured over a few updates of the real run, with a learning rate of 0; nothing
is written.
"""

from __future__ import annotations

import time

import psutil  # type: ignore[import-untyped]
import torch

from trainer.corpus.tokenizer import VOCABULARY
from trainer.flops import wait
from trainer.loop import Trainer

WARM_UP, MEASURED = 2, 5  # updates


def forecast(trainer: Trainer) -> str:
    """A table of what is known about a run and what a few updates of it show."""
    runtime, tokens = trainer.runtime, trainer.global_batch * trainer.context
    for step in range(WARM_UP + MEASURED):
        if step == WARM_UP:
            wait(runtime.device)
            begin = time.perf_counter()
        trainer.engine.update(trainer.batches.of(step), 0.0)
    wait(runtime.device)
    seconds = (time.perf_counter() - begin) / MEASURED
    minutes = trainer.num_steps * seconds / 60
    lines = known(trainer) | {
        "speed": f"{tokens / seconds:,.0f} tokens/s, {seconds:.2f} s an update "
        f"(mean of {MEASURED})",
        "memory": f"{memory(runtime.device):.2f} GiB a process",
        "time": f"{minutes / 60:,.1f} hours" if minutes >= 90 else f"{minutes:,.1f} minutes",
    }
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name:{width}}{value}" for name, value in lines.items())


def known(trainer: Trainer) -> dict[str, str]:
    """What a run's settings and its corpus say."""
    config, runtime, batch = trainer.config, trainer.runtime, trainer.global_batch
    weights = sum(weight.numel() for weight in trainer.model.parameters())
    num_slots = trainer.vocabulary.num_slots
    unseen = (VOCABULARY - num_slots) * config.model.hidden
    corpus, tokens = trainer.store.summary("train"), batch * trainer.context
    return {
        "run": f"{trainer.folder}, preset {config.preset}",
        "model": f"{config.model.block}, {weights + unseen:,} parameters; head and embedding are "
        f"trained for the {num_slots:,} ids that the corpus uses"
        if unseen
        else f"{config.model.block}, {weights:,} parameters",
        "corpus": f"{corpus['stories']:,} stories, {corpus['tokens']:,} tokens",
        "update": f"{batch} blocks of {trainer.context} = {tokens:,} tokens: "
        f"{runtime.num_processes} process(es) x {runtime.accumulation} micro-batch(es) of "
        f"{runtime.micro_batch}",
        "length": f"{trainer.num_steps:,} updates, {trainer.num_steps * tokens:,} tokens, "
        f"{trainer.num_steps * batch / trainer.order.num_blocks:.1f} epochs",
        "engine": f"{runtime.engine} on {runtime.device.type}, "
        f"{str(runtime.dtype).removeprefix('torch.')} products",
    }


def memory(device: torch.device) -> float:
    """GiB that this process holds: at most on a GPU, or in all after its updates."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return float(psutil.Process().memory_info().rss) / 2**30
