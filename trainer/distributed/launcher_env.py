"""Read a launcher's environment variables, and set those that DeepSpeed needs.

A launcher decides the engine of the run: `accelerate launch --use_deepspeed` and an accelerate
config of type DEEPSPEED apply, with their ZeRO stage and file. Everything else is a setting of the
run and is passed in code, so the same settings mean the same run however it is started; a message
names the setting for each other option of a launcher.
"""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STRAY = (
    "ACCELERATE_DEEPSPEED_",
    "ACCELERATE_GRADIENT_",
    "ACCELERATE_CONFIG_DS",
    "ACCELERATE_DYNAMO_",
    "ACCELERATE_USE_",
    "ACCELERATE_MIXED_PRECISION",
)


# Variables of a launcher, their neutral values, and the settings that decide instead.
NOT_USED = {
    "ACCELERATE_GRADIENT_ACCUMULATION_STEPS": ("1", "runtime.micro_batch"),
    "ACCELERATE_GRADIENT_CLIPPING": ("none", "optim.max_grad_norm"),
    "ACCELERATE_MIXED_PRECISION": ("no", "runtime.precision"),
    "ACCELERATE_DYNAMO_BACKEND": ("no", "runtime.compile"),
}
OTHER_ENGINES = {
    "ACCELERATE_USE_FSDP": "FSDP",
    "ACCELERATE_USE_MEGATRON_LM": "Megatron-LM",
    "ACCELERATE_USE_PARALLELISM_CONFIG": "a parallelism_config",
}
RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")
OFFLOAD = "ACCELERATE_DEEPSPEED_OFFLOAD_"


@dataclass(frozen=True)
class LauncherRequest:
    """The settings in a launcher's environment variables.

    Attributes:
        deepspeed: whether DeepSpeed is the engine.
        zero_stage: the ZeRO stage, or None if unset.
        deepspeed_file: DeepSpeed's file, or empty.
        not_used: a message for each option that a setting of the run decides.
        threads_set: whether OMP_NUM_THREADS decides how many threads a run has.
    """

    deepspeed: bool = False
    zero_stage: int | None = None
    deepspeed_file: str = ""
    not_used: tuple[str, ...] = ()
    threads_set: bool = False


def take_request() -> LauncherRequest:
    """Read the variables of a launcher or a default_config.yaml, and remove them from the
    environment. Raises ValueError if they need an engine or an offload that a run cannot use."""
    variables = {key: os.environ.pop(key) for key in list(os.environ) if key.startswith(STRAY)}
    for name, engine in OTHER_ENGINES.items():
        if is_true(variables.get(name, "")):
            raise ValueError(
                f"the launcher, or its default_config.yaml, asks for {engine}, which a run does not"
                " use: leave it out for the plain engine, or ask for DeepSpeed with --use_deepspeed"
                " where a model is too large for one GPU (docs/scaling.md)"
            )
    deepspeed = is_true(variables.get("ACCELERATE_USE_DEEPSPEED", ""))
    threads_set = is_thread_count_set(is_launched=bool(variables))
    if not deepspeed:
        return LauncherRequest(
            not_used=tuple(not_used(variables, ("ACCELERATE_MIXED_PRECISION",))),
            threads_set=threads_set,
        )
    for part in ("OPTIMIZER", "PARAM"):
        if variables.get(f"{OFFLOAD}{part}_DEVICE", "none").lower() != "none":
            raise ValueError(
                f"the launcher asks for --offload_{part.lower()}_device: leave it out, a run that "
                "offloads cannot be resumed exactly"
            )
    file = variables.get("ACCELERATE_DEEPSPEED_CONFIG_FILE", "")
    stage = variables.get("ACCELERATE_DEEPSPEED_ZERO_STAGE", "")
    return LauncherRequest(
        deepspeed=True,
        zero_stage=int(stage) if stage.isdigit() else None,
        deepspeed_file="" if file.lower() == "none" else file,
        not_used=tuple(not_used(variables, tuple(NOT_USED))),
        threads_set=threads_set,
    )


def is_thread_count_set(*, is_launched: bool) -> bool:
    """Return whether a person has set OMP_NUM_THREADS; `accelerate launch` sets it to 1 unasked."""
    threads = os.environ.get("OMP_NUM_THREADS", "")
    return threads != "" and not (is_launched and threads == "1")


def not_used(variables: dict[str, str], names: tuple[str, ...]) -> Iterator[str]:
    """Yield a message for each option of a launcher that a setting of the run decides."""
    for name in names:
        neutral, setting = NOT_USED[name]
        value = variables.get(name, neutral)
        if value.lower() not in (neutral, "auto", "none", ""):
            flag = name.removeprefix("ACCELERATE_").lower()
            yield f"the launcher's --{flag} {value} is not used: --{setting} decides that"


def is_true(text: str) -> bool:
    """Return whether a variable of the environment means yes."""
    return text.lower() in ("true", "1", "yes")


def num_processes() -> int:
    """Return how many processes the launcher started: WORLD_SIZE, or 1. Raises ValueError if it is
    not a number."""
    size = os.environ.get("WORLD_SIZE", "1")
    if not size.isdecimal() or int(size) < 1:
        raise ValueError(
            f"WORLD_SIZE in the environment is {size!r}, not a number of processes: unset it, or "
            "start the run with accelerate launch or torchrun"
        )
    return int(size)


def check_ranks() -> None:
    """Raise ValueError for a launch of several processes without ranks: each would train alone.

    accelerate launch does that without --multi_gpu when a machine has fewer than two GPUs. A
    variable that is set and empty, as by a script's `export WORLD_SIZE=$SLURM_NTASKS` outside of a
    job, is ignored.
    """
    for name in RANKS:
        if not os.environ.get(name, "-").strip():
            del os.environ[name]
    if "MASTER_ADDR" in os.environ and "RANK" not in os.environ:
        raise ValueError(
            "the launcher named a main machine but gave this process no rank, so every process "
            "would train alone: add --multi_gpu to accelerate launch (also on CPU), use torchrun, "
            "or unset MASTER_ADDR for a run of one process"
        )


def wants_deepspeed(setting: str, request: LauncherRequest) -> bool:
    """Return whether DeepSpeed is the engine; `auto` leaves the choice to the launcher. Below some
    500M parameters the plain engine is faster and takes less memory (docs/scaling.md)."""
    if setting == "off" and request.deepspeed:
        raise ValueError(
            "the launcher asks for DeepSpeed and runtime.deepspeed is off: leave one of them out"
        )
    wanted = setting == "on" or request.deepspeed
    if wanted and importlib.util.find_spec("deepspeed") is None:
        cause = "the launcher asks for" if request.deepspeed else "runtime.deepspeed asks for"
        raise ValueError(
            f'{cause} DeepSpeed, which is not installed: pip install -e ".[train]", or use the '
            "plain engine with runtime.deepspeed off and accelerate launch without --use_deepspeed"
        )
    return wanted


def prepare_environment_for_deepspeed() -> None:
    """Set the variables that DeepSpeed needs: a rendezvous even for one process (else it needs
    mpi4py), and ninja on PATH."""
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
