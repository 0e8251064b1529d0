"""A setting of a run: a documented field of a section in config.py. Older names and defaults."""

from __future__ import annotations

from dataclasses import field
from typing import Any

RENAMED = {  # settings of older versions, which old presets and checkpoints still have
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
DEFAULTS_BEFORE: dict[str, Any] = {  # by newer setting, the value that older versions imply
    "model.attention": "block",
    "model.init_from": "",
    "model.kv_heads": 0,
    "model.stochastic_depth": 0.0,
    "model.teachers": "",
    "optim.shift_blocks": False,
    "optim.teacher_weight": 0.5,
    "optim.warmup_steps": 0,
}
# Two settings of the same quantity: the second takes precedence if it is not 0. But a command line
# with only the first overrides a preset's second.
OVERRIDDEN = {"optim.epochs": "optim.steps", "optim.warmup_ratio": "optim.warmup_steps"}
PATHS = (  # settings that are files, folders or names on the Hub
    "run.dir",
    "model.init_from",
    "model.teachers",
    "corpus.source",
    "corpus.validation",
    "corpus.folder",
    "corpus.tokenizer",
    "runtime.deepspeed_config",
)
USUAL_NAMES = {  # other trainers' names of a setting, if they differ from its last part
    name: key
    for key, names in {
        "run.dir": "output_dir out_dir save_dir",
        "run.fresh": "overwrite_output_dir",
        "run.log_every": "logging_steps log_interval",
        "run.save_every": "save_steps save_interval",
        "run.keep_last": "save_total_limit",
        "run.validate_every": "eval_steps eval_interval",
        "run.trackers": "report_to",
        "corpus.source": "dataset dataset_name data_dir train_file train_data",
        "corpus.validation": "validation_file",
        "model.init_from": "model_name_or_path",
        "corpus.tokenizer": "tokenizer_name",
        "model.num_layers": "n_layer num_hidden_layers",
        "model.num_heads": "n_head num_attention_heads",
        "model.hidden": "n_embd hidden_size",
        "model.intermediate": "intermediate_size",
        "model.context": "block_size max_length max_seq_len max_seq_length seq_len",
        "optim.lr": "learning_rate",
        "optim.epochs": "num_train_epochs num_epochs",
        "optim.steps": "max_steps max_iters num_steps",
        "optim.global_batch": "batch_size train_batch_size",
        "runtime.micro_batch": "per_device_train_batch_size micro_batch_size"
        " gradient_accumulation_steps",
        "optim.warmup_steps": "warmup_iters",
        "optim.schedule": "lr_scheduler_type",
        "optim.optimizer": "optim",
        "optim.beta1": "adam_beta1",
        "optim.beta2": "adam_beta2",
        "optim.max_grad_norm": "grad_clip",
        "runtime.precision": "bf16 fp16 mixed_precision dtype",
        "runtime.compile": "torch_compile",
        "preset": "config",
    }.items()
    for name in names.split()
}


def setting(
    default: Any,
    meaning: str,
    *,
    unit: str = "",
    choices: tuple[str, ...] = (),
    separator: str = "",
) -> Any:
    """Return a documented field. --help prints `meaning` and `unit`. The parts of a list have the
    `separator` between them on the command line, and can be a YAML list in a preset file."""
    metadata = {"meaning": meaning, "unit": unit, "choices": choices, "separator": separator}
    return field(default=default, metadata=metadata)


def positive(section: str, values: dict[str, float]) -> list[str]:
    """Return a message for each value that is not positive."""
    return [
        f"{section}.{key} must be above 0, not {value}"
        for key, value in values.items()
        if not value > 0
    ]
