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


# Of two settings that say the same, the second counts where it is not 0; but who names only the
# first on the command line means it, whatever a preset says of the second.
OVERRIDDEN = {"optim.epochs": "optim.steps", "optim.warmup_ratio": "optim.warmup_steps"}
PATHS = (  # of files and folders, or names on the Hub
    "run.dir",
    "model.init_from",
    "model.teachers",
    "corpus.source",
    "corpus.validation",
    "corpus.folder",
    "corpus.tokenizer",
    "runtime.deepspeed_config",
)
USUAL_NAMES = {  # what other trainers call a setting, where its own last part is another
    "output_dir": "run.dir",
    "out_dir": "run.dir",
    "save_dir": "run.dir",
    "overwrite_output_dir": "run.fresh",
    "logging_steps": "run.log_every",
    "log_interval": "run.log_every",
    "save_steps": "run.save_every",
    "save_interval": "run.save_every",
    "save_total_limit": "run.keep_last",
    "eval_steps": "run.validate_every",
    "eval_interval": "run.validate_every",
    "report_to": "run.trackers",
    "dataset": "corpus.source",
    "dataset_name": "corpus.source",
    "data_dir": "corpus.source",
    "train_file": "corpus.source",
    "train_data": "corpus.source",
    "validation_file": "corpus.validation",
    "model_name_or_path": "model.init_from",
    "tokenizer_name": "corpus.tokenizer",
    "n_layer": "model.num_layers",
    "num_hidden_layers": "model.num_layers",
    "n_head": "model.num_heads",
    "num_attention_heads": "model.num_heads",
    "n_embd": "model.hidden",
    "hidden_size": "model.hidden",
    "intermediate_size": "model.intermediate",
    "block_size": "model.context",
    "max_length": "model.context",
    "max_seq_len": "model.context",
    "max_seq_length": "model.context",
    "seq_len": "model.context",
    "learning_rate": "optim.lr",
    "num_train_epochs": "optim.epochs",
    "num_epochs": "optim.epochs",
    "max_steps": "optim.steps",
    "max_iters": "optim.steps",
    "num_steps": "optim.steps",
    "batch_size": "optim.global_batch",
    "train_batch_size": "optim.global_batch",
    "per_device_train_batch_size": "runtime.micro_batch",
    "micro_batch_size": "runtime.micro_batch",
    "gradient_accumulation_steps": "runtime.micro_batch",
    "warmup_iters": "optim.warmup_steps",
    "lr_scheduler_type": "optim.schedule",
    "optim": "optim.optimizer",
    "adam_beta1": "optim.beta1",
    "adam_beta2": "optim.beta2",
    "grad_clip": "optim.max_grad_norm",
    "bf16": "runtime.precision",
    "fp16": "runtime.precision",
    "mixed_precision": "runtime.precision",
    "dtype": "runtime.precision",
    "torch_compile": "runtime.compile",
    "config": "preset",
}


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    separator: str = "",
) -> Any:
    """A documented field: `meaning` and `unit` are what --help prints; a text that is several has
    the `separator` between them, and may be a list in a preset file."""
    metadata = {"meaning": meaning, "unit": unit, "choices": choices, "separator": separator}
    return field(default=default, metadata=metadata)


def positive(section: str, values: dict[str, float]) -> list[str]:
    """Complaints about the values that are not greater than zero."""
    return [
        f"{section}.{key} must be above 0, not {value}"
        for key, value in values.items()
        if not value > 0
    ]
