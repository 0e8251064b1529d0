"""What a launcher leaves in the environment, and what DeepSpeed looks for there.

Settings of the run are passed in code; what `accelerate launch` and a stray default_config.yaml say
of them is dropped, so the same settings mean the same run however it is started.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path

STRAY = (
    "ACCELERATE_DEEPSPEED_",
    "ACCELERATE_GRADIENT_",
    "ACCELERATE_CONFIG_DS",
    "ACCELERATE_DYNAMO_",
    "ACCELERATE_USE_",
    "ACCELERATE_MIXED_PRECISION",
)


def clear_environment() -> None:
    """Drop what a launcher or a stray default_config.yaml says about the run."""
    for name in [key for key in os.environ if key.startswith(STRAY)]:
        del os.environ[name]


def check_ranks() -> None:
    """Refuse a launch of several processes that gave them no ranks: each would train alone.

    accelerate launch does that without --multi_gpu when a machine has fewer than two GPUs.
    """
    if "MASTER_ADDR" in os.environ and "RANK" not in os.environ:
        raise ValueError(
            "the launcher named a main machine but gave this process no rank, so every process "
            "would train alone: add --multi_gpu to accelerate launch (also on CPU), use torchrun, "
            "or unset MASTER_ADDR for a run of one process"
        )


def wants_deepspeed(wanted: str, has_gpu: bool) -> bool:
    """Whether DeepSpeed carries the run; `auto` means when there are GPUs and it is installed."""
    installed = importlib.util.find_spec("deepspeed") is not None
    if wanted == "on" and not installed:
        raise ValueError(
            "runtime.deepspeed is on but deepspeed is not installed: "
            'pip install -e ".[train]", or use off'
        )
    return wanted == "on" or (wanted == "auto" and has_gpu and installed)


def prepare_environment_for_deepspeed() -> None:
    """What DeepSpeed looks for: a rendezvous even for one process (else mpi4py), and ninja on
    PATH."""
    os.environ["PATH"] = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    )
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    alone = {
        "RANK": 0,
        "LOCAL_RANK": 0,
        "WORLD_SIZE": 1,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    for name, value in alone.items():
        os.environ.setdefault(name, str(value))
