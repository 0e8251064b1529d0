"""The DeepSpeed file of a run: read, checked, and filled with the sizes that the run decides.

Stage, bucket sizes and how messages overlap are the file's. Batch sizes and clipping follow from
the run's settings, whatever the file says of them. What would make another run of it is refused.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parents[2] / "ds_config.json"


def read(
    path: str, *, micro_batch: int, accumulation: int, clip: float, stage: int | None = None
) -> dict[str, Any]:
    """The settings in the file `path`, or in the shipped one when it is empty.

    Args:
        micro_batch, accumulation: blocks a process reads at once, and how often before an update.
        clip: largest norm of the gradient.
        stage: ZeRO stage that the launcher asked for; it wins over the file's.

    Raises:
        ValueError: there is no such JSON file, or it asks for what would not be the same run.
    """
    file = Path(path).expanduser() if path else SHIPPED
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"runtime.deepspeed_config names {file}, which is no JSON file that can be read "
            f"({error}): give a DeepSpeed file, or leave it empty for the shipped one"
        ) from None
    zero = block(found, "zero_optimization")
    if stage is not None:
        if stage not in (1, 2, 3):
            raise ValueError(
                f"the launcher asks for --zero_stage {stage}: give 1, 2 or 3, or leave "
                "--use_deepspeed out for the plain engine"
            )
        zero = zero | {"stage": stage}
        found = found | {"zero_optimization": zero}
    if zero.get("stage") is True or zero.get("stage") not in (1, 2, 3):
        raise ValueError(  # stage 0 makes a hidden step of its own under bf16
            f'{file} (runtime.deepspeed_config) must have "zero_optimization": {{"stage": 1}}, '
            "or 2 or 3: stage 0 is runtime.deepspeed off"
        )
    for key in sorted({"optimizer", "scheduler"} & found.keys()):
        raise ValueError(
            f'{file} (runtime.deepspeed_config) has a block "{key}": take it out, '
            "the settings under optim. say how the weights move"
        )
    for key in ("offload_optimizer", "offload_param"):
        if block(zero, key).get("device", "none") != "none":  # it freezes the rate on resume
            raise ValueError(
                f'{file} (runtime.deepspeed_config) has "{key}": take it out, '
                "a run that offloads cannot be resumed exactly"
            )
    for key in ("bf16", "fp16"):
        if block(found, key).get("enabled") is True:
            raise ValueError(
                f'{file} (runtime.deepspeed_config) turns on "{key}": take it out, '
                "runtime.precision chooses the arithmetic and the weights stay fp32"
            )
    every: dict[str, Any] = found | {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": clip,
        # This timer synchronizes with the device inside the code that is compiled, which torch
        # 2.13 cannot trace: the run would stop at its third update.
        "timers": block(found, "timers") | {"throughput": {"enabled": False}},
    }
    return every


def block(settings: Any, key: str) -> dict[str, Any]:
    """The settings under `key`, none if it is not there or is no block."""
    found = settings.get(key) if isinstance(settings, dict) else None
    return found if isinstance(found, dict) else {}
