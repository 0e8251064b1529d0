"""Read and check the DeepSpeed file of a run, and fill in the sizes that the run decides.

The file decides stage, bucket sizes and overlap of communication. The run's settings decide batch
sizes and clipping; values in the file are ignored. Options that would change the run are refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[2] / "ds_config.json"
OFFLOAD = ("offload_optimizer", "offload_param")
OLD_OFFLOAD = (
    "cpu_offload",
    "cpu_offload_param",
    "cpu_offload_params",
    "cpu_offload_use_pin_memory",
)
# Decided by the run's settings; values in the file are ignored.
DECIDED = {
    "train_batch_size": "--optim.global_batch decides that",
    "train_micro_batch_size_per_gpu": "--runtime.micro_batch decides that",
    "gradient_accumulation_steps": "it follows from optim.global_batch and runtime.micro_batch",
    "gradient_clipping": "--optim.max_grad_norm decides that",
}


def read(
    path: str, *, micro_batch: int, accumulation: int, clip: float, stage: int | None = None
) -> tuple[dict[str, Any], list[str]]:
    """Return the settings in the file `path`, or in the shipped one when it is empty, and a note
    for each of its settings that is not used.

    `"auto"`, which other trainers fill in, means DeepSpeed's own default here. Raises ValueError
    if there is no such JSON file, or it has options that would change the run.

    Args:
        micro_batch, accumulation: blocks a process reads at once, and how often before an update.
        clip: largest norm of the gradient.
        stage: the launcher's ZeRO stage, which overrides the file's.
    """
    file = Path(path).expanduser() if path else SHIPPED
    settings = load(file)
    zero = block(settings, "zero_optimization")
    if stage is not None:
        if stage not in (1, 2, 3):
            raise ValueError(
                f"the launcher asks for --zero_stage {stage}: give 1, 2 or 3, or leave "
                "--use_deepspeed out for the plain engine"
            )
        zero = zero | {"stage": stage}
    if zero.get("stage") is True or zero.get("stage") not in (1, 2, 3):
        raise ValueError(  # under bf16, stage 0 makes an additional hidden step
            f'{file} (runtime.deepspeed_config) must have "zero_optimization": {{"stage": 1}}, '
            "or 2 or 3: stage 0 is runtime.deepspeed off"
        )
    for problem in of_another_run(settings, zero):
        raise ValueError(f"{file} (runtime.deepspeed_config) {problem}")
    own = {
        "train_micro_batch_size_per_gpu": micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": clip,
    }
    notes = [
        f"{file.name} has {key} {settings[key]}, which is not used: {decides}"
        for key, decides in DECIDED.items()
        if key in settings and settings[key] != own.get(key)
    ]
    decided = {
        "train_batch_size": "auto",
        "zero_optimization": {key: zero[key] for key in zero if key not in OLD_OFFLOAD},
        # This timer synchronizes with the device inside the code that is compiled, which torch
        # 2.13 cannot trace: the run would stop at its third update.
        "timers": block(settings, "timers") | {"throughput": {"enabled": False}},
    }
    return settings | own | decided, notes


def load(file: Path) -> dict[str, Any]:
    """Return the settings in a DeepSpeed file, with texts as values; empty if it holds no settings.
    Raises ValueError if there is no such JSON file."""
    try:
        settings = as_values(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"runtime.deepspeed_config names {file}, which cannot be read as JSON "
            f"({error}): give a DeepSpeed file, or leave it empty for the shipped one"
        ) from None
    return settings if isinstance(settings, dict) else {}


def as_values(settings: Any) -> Any:
    """Return settings with booleans and whole numbers in place of their texts, without those
    that are "auto"."""
    if isinstance(settings, dict):
        return {key: as_values(value) for key, value in settings.items() if value != "auto"}
    if isinstance(settings, str) and settings.lower() in ("true", "false"):
        return settings.lower() == "true"
    return int(settings) if isinstance(settings, str) and settings.isdecimal() else settings


def of_another_run(settings: dict[str, Any], zero: dict[str, Any]) -> Iterator[str]:
    """Yield a message, with the remedy, for each option that would change the run."""
    for key in sorted({"optimizer", "scheduler"} & settings.keys()):
        yield f'has a block "{key}": take it out, the settings under optim. choose the optimizer'
    offloads = [key for key in OFFLOAD if block(zero, key).get("device", "none") != "none"]
    offloads += [key for key in (*OFFLOAD, *OLD_OFFLOAD) if zero.get(key) is True]
    for key in offloads:  # offloading freezes the learning rate on resume
        yield f'has "{key}": take it out, a run that offloads cannot be resumed exactly'
    for key in ("bf16", "bfloat16", "fp16", "amp", "torch_autocast"):
        if block(settings, key).get("enabled") is True:
            yield (
                f'turns on "{key}": take it out, runtime.precision chooses the arithmetic and the '
                "weights stay fp32"
            )


def block(settings: dict[str, Any], key: str) -> dict[str, Any]:
    """Return the settings under `key`, empty if it is missing or not a block."""
    value = settings.get(key)
    return value if isinstance(value, dict) else {}
