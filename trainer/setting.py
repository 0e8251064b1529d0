"""One setting of a run: a documented field of a section in config.py, and the names of before."""

from __future__ import annotations

from dataclasses import field
from typing import Any

RENAMED = {  # settings of older versions: presets name them, and checkpoints
    "optim.warmup": "optim.warmup_ratio",
    "optim.decay": "optim.decay_ratio",
    "optim.final_lr": "optim.final_lr_ratio",
    "optim.momentum": "optim.muon_momentum",
    "optim.clip": "optim.max_grad_norm",
    "run.dry": "run.dry_run",
    "run.keep": "run.keep_last",
    "run.export": "run.export_checkpoint",
    "run.judge_stories": "run.evaluate_stories",
    "runtime.compact_vocabulary": "model.compact_vocabulary",
}
ADDED: dict[str, Any] = {
    "model.attention": "block",
    "model.init_from": "",
    "model.kv_heads": 0,
    "model.stochastic_depth": 0.0,
    "model.teachers": "",
    "optim.shift_blocks": False,
    "optim.teacher_weight": 0.5,
    "optim.warmup_steps": 0,
}  # settings since then, and how it was before


def setting(default: Any, meaning: str, *, unit: str = "", choices: tuple[str, ...] = ()) -> Any:
    """A documented field: `meaning` and `unit` are what --help prints."""
    return field(default=default, metadata={"meaning": meaning, "unit": unit, "choices": choices})


def positive(section: str, values: dict[str, float]) -> list[str]:
    """Complaints about the values that are not greater than zero."""
    return [
        f"{section}.{key} must be above 0, not {value}"
        for key, value in values.items()
        if not value > 0
    ]
