"""Measure a run before it starts (`--run.dry_run`): its duration, speed and memory.

Speed and memory are measured over a few updates of the real run, with a learning rate of 0. The
time of compilation, validations and snapshots with samples, and the final evaluation is
extrapolated from small measurements. No files are written.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import psutil  # type: ignore[import-untyped]
import torch
from tqdm import tqdm

from trainer.evaluate.likelihood import evaluate
from trainer.model.flops import wait
from trainer.run.loop import Trainer
from trainer.run.plan import num_parameters, plan, table

WARM_UP, MEASURED = 2, 5  # updates
FEW = 8  # stories that are evaluated
BATCH = 16  # stories in a batch of continuations
CONTINUED = 4  # continuations per story: of openings and introductions, greedy and sampled


@dataclass(frozen=True)
class DryRun:
    """The measurements of a dry run.

    Attributes:
        plan: what the settings decide, by name.
        seconds_per_step: of an update.
        start_seconds: until the first update is done, including compilation.
        validation_seconds: of a validation with samples.
        validations: of the whole run.
        sample_seconds: of the sample stories, which are nearly all of a snapshot.
        snapshots: of the whole run.
        finishing_seconds: of the evaluation of the export.
        memory: bytes per process.
    """

    plan: dict[str, str]
    steps: int
    tokens_per_step: int
    parameters: int
    stories: int
    epochs: float
    seconds_per_step: float
    start_seconds: float
    validation_seconds: float
    validations: int
    sample_seconds: float
    snapshots: int
    finishing_seconds: float
    memory: int

    @property
    def seconds(self) -> float:
        """Return the seconds of the whole run, without reading stories and importing libraries."""
        validations = self.validations * self.validation_seconds
        return self.fixed_seconds + self.steps * self.seconds_per_step + validations

    @property
    def fixed_seconds(self) -> float:
        """The part of `seconds` that does not grow with the updates."""
        snapshots = self.snapshots * self.sample_seconds
        return self.start_seconds + snapshots + self.finishing_seconds

    def table(self) -> str:
        """Return the plan and the measurements as a table for people."""
        speed, minutes = self.tokens_per_step / self.seconds_per_step, self.seconds / 60
        length = f"{minutes / 60:,.1f} hours" if minutes >= 90 else f"{minutes:,.1f} minutes"
        return table(
            self.plan
            | {
                "speed": f"{speed:,.0f} tokens/s, {self.seconds_per_step:.2f} s per update "
                f"(mean of {MEASURED})",
                "memory": f"{self.memory / 2**30:.2f} GiB per process",
                "time": length,
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Return the plan and the measurements as JSON values."""
        return {
            "seconds": self.seconds,
            "fixed_seconds": self.fixed_seconds,
            "steps": self.steps,
            "tokens": self.steps * self.tokens_per_step,
            "tokens_per_second": self.tokens_per_step / self.seconds_per_step,
            "seconds_per_step": self.seconds_per_step,
            "memory_bytes": self.memory,
            "parameters": self.parameters,
            "stories": self.stories,
            "epochs": self.epochs,
            "plan": list(self.plan.items()),
        }


def dry_run(trainer: Trainer) -> DryRun:
    """Measure a few updates of a run, a validation and a small final evaluation."""
    runtime = trainer.runtime
    title = "measuring (the first update compiles)" if trainer.is_compiled else "measuring"
    steps, begin = range(WARM_UP + MEASURED), time.perf_counter()
    for step in tqdm(steps, desc=title, unit="update", leave=False, disable=not runtime.is_main):
        if step == WARM_UP:
            wait(runtime.device)
            start = time.perf_counter()
        trainer.engine.update(trainer.batches.of(step), 0.0)
    wait(runtime.device)
    seconds = (time.perf_counter() - start) / MEASURED
    memory_in_use = memory(runtime.device)
    before = time.perf_counter()
    trainer.validation()
    validation_seconds = time.perf_counter() - before
    sample_seconds = sampling(trainer)
    return DryRun(
        plan(trainer),
        trainer.num_steps,
        trainer.global_batch * trainer.context,
        num_parameters(trainer),
        trainer.store.num_stories("train"),
        trainer.num_steps * trainer.global_batch / trainer.order.num_blocks,
        seconds,
        max(0.0, start - begin - WARM_UP * seconds),
        validation_seconds,
        trainer.num_steps // trainer.steps.validate_every + 1,
        sample_seconds,
        len(trainer.steps.snapshots),
        finishing(trainer, sample_seconds),
        memory_in_use,
    )


def sampling(trainer: Trainer) -> float:
    """Return the seconds that the sample stories take."""
    before, weights = time.perf_counter(), trainer.engine.weights()
    if trainer.runtime.is_main:
        trainer.samples(trainer.full(weights))
    return time.perf_counter() - before


def finishing(trainer: Trainer, sample_seconds: float) -> float:
    """Return the seconds of the final evaluation, extrapolated: likelihoods from FEW stories, and
    continuations from the speed of the samples."""
    run, store = trainer.config.run, trainer.store
    available = store.num_stories("validation")
    count = min(run.evaluate_stories or available, available)
    few = list(store.stories("validation", min(count, FEW)))
    if not (trainer.runtime.is_main and few):
        return 0.0
    decoder, before = trainer.full(trainer.engine.weights()), time.perf_counter()
    evaluate(decoder, few, trainer.tokenizer)
    evaluated = time.perf_counter()
    token = sample_seconds / run.sample_length
    batches = CONTINUED * math.ceil(min(run.continue_stories, count) / BATCH)
    length = store.num_tokens("validation") / available
    return (evaluated - before) * count / len(few) + batches * length * token


def memory(device: torch.device) -> int:
    """Return this process's memory in bytes: the peak on a GPU, or the current resident set."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated())
    return int(psutil.Process().memory_info().rss)
