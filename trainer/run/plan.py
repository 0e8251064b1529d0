"""The plan of a run in a few lines, which every run prints first; `--run.dry_run` adds its
measurements."""

from __future__ import annotations

import torch

from trainer.model import device
from trainer.run.loop import Trainer


def plan(trainer: Trainer) -> dict[str, str]:
    """Return the plan of a run by name, from the settings, the corpus and this machine."""
    config, tokens = trainer.config, trainer.global_batch * trainer.context
    corpus, batch = trainer.store.summary("train"), trainer.global_batch
    return {
        "run": f"{trainer.folder}, preset {config.preset}",
        "model": model(trainer),
        "tokenizer": trainer.store.tokenizer.name,
        "corpus": f"{corpus['stories']:,} stories, {corpus['tokens']:,} tokens of {corpus['name']}",
        "validation": validation(trainer),
        "update": f"{batch} blocks of {trainer.context} = {tokens:,} tokens: {split(trainer)}",
        "length": f"{trainer.num_steps:,} updates, {trainer.num_steps * tokens:,} tokens, "
        f"{trainer.num_steps * batch / trainer.order.num_blocks:.1f} epochs",
        "engine": engine(trainer),
        "writes": writes(trainer),
    }


def split(trainer: Trainer) -> str:
    """Return how an update's blocks are split among processes and micro-batches."""
    runtime = trainer.runtime
    return (
        f"{runtime.num_processes} x {runtime.accumulation} x {runtime.micro_batch} (processes, "
        "micro-batches, blocks of each)"
    )


def num_parameters(trainer: Trainer) -> int:
    """Return the number of parameters of the model over all ids, used by the corpus or not."""
    weights = sum(weight.numel() for weight in trainer.model.parameters())
    unseen = trainer.vocabulary.num_ids - trainer.vocabulary.num_compact_ids
    return weights + unseen * trainer.config.model.hidden


def model(trainer: Trainer) -> str:
    """Return the block, the number of parameters and where training starts."""
    config, num_compact_ids = trainer.config.model, trainer.vocabulary.num_compact_ids
    about = f"{config.block}, {num_parameters(trainer):,} parameters"
    if config.init_from:
        about += f", starting from {config.init_from}"
    if teachers := trainer.model.teachers:
        about += f", taught by {len(teachers)} model{'s' if len(teachers) > 1 else ''}"
    if num_compact_ids < trainer.vocabulary.num_ids:
        about += f"; head and embedding are trained for {num_compact_ids:,} ids, those in use"
    return about


def validation(trainer: Trainer) -> str:
    """Return which stories the run is validated on, or why it cannot be."""
    store, context = trainer.store, trainer.context
    stories, blocks = store.num_stories("validation"), store.num_blocks("validation", context)
    if not blocks:
        return (
            f"none: {stories:,} stories with {store.num_tokens('validation'):,} tokens are held "
            f"out, fewer than one block of {context}; name more with --corpus.validation, or "
            "hold out more with --corpus.validation_share"
        )
    used = min(blocks, trainer.config.run.validate_blocks)
    return (
        f"{stories:,} stories; {used:,} of {blocks:,} blocks every "
        f"{trainer.steps.validate_every:,} steps"
    )


def engine(trainer: Trainer) -> str:
    """Return the engine, device and precision of the run."""
    runtime = trainer.runtime
    precision = "bf16" if runtime.dtype == torch.bfloat16 else "fp32"
    slow = "compiled (the first step takes about half a minute longer)"
    return (
        f"{runtime.engine} on {device.name_of(runtime.device)}, {precision}, "
        f"{slow if trainer.is_compiled else 'not compiled'}, "
        f"{runtime.num_processes} process{'es' if runtime.num_processes > 1 else ''}"
    )


def writes(trainer: Trainer) -> str:
    """Return which files the run will write."""
    run = trainer.config.run
    snapshots = f"{run.snapshots} snapshots, " if run.snapshots else ""
    return (
        f"{trainer.folder}: metrics.jsonl, a checkpoint every {trainer.steps.save_every:,} steps "
        f"({run.keep_last} and the best are kept), {snapshots}export/ at the end"
    )


def table(lines: dict[str, str]) -> str:
    """Return the lines with their names in a column."""
    width = max(map(len, lines)) + 2
    return "\n".join(f"{name:{width}}{value}" for name, value in lines.items())
