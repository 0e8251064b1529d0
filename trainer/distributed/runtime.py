"""The processes of a run, over Accelerate, with or without DeepSpeed: their ranks, devices and
communication.

Everything is passed in code, so the same settings mean the same run under plain python, a launch
without flags, torchrun and several machines. The master weights are fp32 in every engine; bf16 is
autocast, so a checkpoint does not depend on the engine.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
import torch.distributed
from accelerate import Accelerator, DeepSpeedPlugin, InitProcessGroupKwargs
from accelerate.tracking import get_available_trackers

from trainer.distributed import deepspeed_config, launcher_env
from trainer.distributed.watchdog import GRACE, Watchdog
from trainer.model import device
from trainer.settings.optim import Optim
from trainer.settings.runtime import Runtime as RuntimeSettings

SHORT_RUN = 500  # updates; in a shorter run compiling costs more than it saves
CPU_TOKENS = 8_192  # of a micro-batch on CPU: larger ones exceed the cache and are slower
GPU_TOKENS = 32_768  # on a GPU: 6 GB with all 50,257 ids (docs/speed.md), a quarter of a 3090


class Runtime:
    """The processes of a run and their communication.

    Attributes:
        rank, num_processes: this process among all.
        is_main: whether this process writes files and prints.
        device, dtype: where and in which type the matrix products run.
        micro_batch, accumulation: blocks a process reads at once, and how often before an update.
        engine: "plain" or "deepspeed".
        zero_stage: 0 without DeepSpeed.
        notes: messages for the user about options that are not used.
    """

    def __init__(
        self,
        settings: RuntimeSettings,
        optim: Optim,
        context: int,
        trackers: Sequence[str] = (),
        folder: Path | None = None,
    ) -> None:
        """Join the other processes; `trackers` write their files to `folder`. Raises
        ValueError if the global batch does not split over the processes, some did not join, or a
        tracker is not installed."""
        check_installed(trackers)
        self.tracking = {"log_with": list(trackers) or None, "project_dir": folder}
        request = launcher_env.take_request()
        launcher_env.check_ranks()
        self.zero_stage = 0
        self.notes: list[str] = []
        has_gpu = device.usable_gpu()
        if has_gpu and settings.deterministic:
            device.make_deterministic()
        device.set_deepspeed_device()
        most = max(1, (GPU_TOKENS if has_gpu else CPU_TOKENS) // context)
        self.num_processes = launcher_env.num_processes()
        self.micro_batch, self.accumulation = split_batch(
            optim.global_batch, self.num_processes, settings.micro_batch, most=most
        )
        self.max_grad_norm = optim.max_grad_norm
        self.watchdog = Watchdog(self.num_processes, settings.timeout)
        group = InitProcessGroupKwargs(
            backend="nccl" if has_gpu else "gloo",
            timeout=timedelta(seconds=settings.timeout + GRACE),
        )
        if launcher_env.wants_deepspeed(settings.deepspeed, request):
            self.engine = "deepspeed"
            file = settings.deepspeed_config or request.deepspeed_file
            self.accelerator = self.join_with_deepspeed(file, request.zero_stage, group)
        else:
            self.engine = "plain"
            self.accelerator = Accelerator(
                cpu=not has_gpu,
                mixed_precision="no",
                gradient_accumulation_steps=self.accumulation,
                kwargs_handlers=[group] if self.num_processes > 1 else [],
                **self.tracking,
            )
        if self.accelerator.num_processes != self.num_processes:
            raise ValueError(
                f"{self.num_processes} processes were started but "
                f"{self.accelerator.num_processes} joined: start the run with accelerate launch or "
                "torchrun, and the same --num_processes on every machine"
            )
        self.watchdog.is_initialized = True
        self.rank = self.accelerator.process_index
        self.is_main = self.accelerator.is_main_process
        self.device = self.accelerator.device
        if not has_gpu and self.num_processes == 1 and not request.threads_set:
            # accelerate launch without flags leaves one thread; taskset leaves fewer cores.
            torch.set_num_threads(num_cores())
        self.dtype = choose_dtype(settings.precision, self.device)
        self.notes += [*request.not_used, *filter(None, [device.why_not_used()])]

    def join_with_deepspeed(
        self, file: str, stage: int | None, group: InitProcessGroupKwargs
    ) -> Accelerator:
        """Return Accelerate with ZeRO by the launcher's `stage` and `file`, or by the shipped
        ds_config.json."""
        settings, self.notes = deepspeed_config.read(
            file,
            micro_batch=self.micro_batch,
            accumulation=self.accumulation,
            clip=self.max_grad_norm,
            stage=stage,
        )
        self.zero_stage = int(settings["zero_optimization"]["stage"])
        launcher_env.prepare_environment_for_deepspeed()
        return Accelerator(
            deepspeed_plugin=DeepSpeedPlugin(hf_ds_config=settings, zero3_init_flag=False),
            gradient_accumulation_steps=self.accumulation,
            kwargs_handlers=[group],
            **self.tracking,
        )

    def mean(self, value: torch.Tensor) -> float:
        """Return the mean of a scalar over the processes."""
        self.watchdog.heartbeat()
        return float(self.accelerator.reduce(value.detach().float(), reduction="mean"))

    def any(self, flag: bool) -> bool:
        """Return whether the flag is true in any process."""
        if self.num_processes == 1:
            return flag
        raised = torch.tensor(float(flag), device=self.device)
        return float(self.accelerator.reduce(raised, reduction="sum")) > 0

    def wait(self) -> None:
        """Wait for every process."""
        self.watchdog.heartbeat()
        self.accelerator.wait_for_everyone()

    def track(self, name: str, settings: dict[str, Any], step: int) -> None:
        """Open the run called `name` in every tracker, continuing after `step` updates."""
        self.accelerator.init_trackers(
            "inkling",
            settings,
            {  # tensorboard hides the log of a killed run after its last checkpoint
                "tensorboard": {"purge_step": step + 1},
                "trackio": {"name": name, "resume": "allow"},
                "wandb": {"name": name, "dir": self.tracking["project_dir"]},
            },
        )

    def close(self) -> None:
        """Close the trackers and leave the process group."""
        self.accelerator.end_training()


def leave_group() -> None:
    """Leave the process group after an error, so that NCCL adds no warning to its message."""
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def split_batch(
    global_batch: int, num_processes: int, wanted: int, *, most: int
) -> tuple[int, int]:
    """Return (micro-batch, accumulation) so that micro-batch x accumulation x processes is the
    global batch. Raises ValueError if it does not split evenly."""
    per_process, rest = divmod(global_batch, num_processes)
    if rest:
        raise ValueError(
            f"optim.global_batch ({global_batch}) does not split over {num_processes} processes: "
            "choose a multiple of them"
        )
    if wanted:
        if per_process % wanted:
            raise ValueError(
                f"runtime.micro_batch ({wanted}) must divide the {per_process} blocks that each "
                "process reads for an update"
            )
        return wanted, per_process // wanted
    micro = max(size for size in range(1, min(most, per_process) + 1) if per_process % size == 0)
    return micro, per_process // micro


def num_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """Return bf16 where the hardware has it, fp32 elsewhere, or the type of the setting."""
    if precision != "auto":
        return torch.bfloat16 if precision == "bf16" else torch.float32
    if device.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        fast = bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return torch.bfloat16 if fast else torch.float32


def check_installed(trackers: Iterable[str]) -> None:
    """Raise ValueError for a tracker that is not installed; Accelerate would only warn."""
    available = set(map(str, get_available_trackers()))
    for name in trackers:
        if name not in available:
            raise ValueError(
                f"run.trackers names {name}, which is not installed: pip install {name}"
            )


def seed_noise(seed: int, step: int, rank: int) -> None:
    """Seed dropout's random numbers for a step by (seed, step, rank), so that checkpoints need no
    random state."""
    digest = hashlib.blake2b(f"{seed} {step} {rank}".encode(), digest_size=7).digest()
    torch.manual_seed(int.from_bytes(digest, "little"))


def compile_model(
    model: torch.nn.Module,
    setting: str,
    num_steps: int,
    runtime: Runtime,
    say: Callable[[str], None],
) -> bool:
    """Compile the model if `setting` (auto, on, off) and this machine allow it; return whether
    it was compiled. Raises ValueError if the setting is on and compiling does not work here."""
    if setting == "off" or (setting == "auto" and num_steps < SHORT_RUN):
        return False
    if runtime.zero_stage == 3:  # its weights are empty while Dynamo traces them
        if setting == "on":
            raise ValueError("runtime.compile on does not work with ZeRO stage 3: use auto")
        say("ZeRO stage 3 cannot be compiled: training continues uncompiled")
        return False
    reason = device.why_not_compiled(runtime.device)
    if runtime.any(reason is not None):  # the same on all processes
        reason = reason or "another process cannot"
        advice = "install a C++ compiler and Python's headers (Debian: g++ and python3-dev)"
        if setting == "on":
            raise ValueError(
                f"runtime.compile is on but compiling does not work here ({reason}): {advice}, or "
                "use auto"
            )
        say(
            f"compiling does not work here ({reason}): training continues uncompiled, which is "
            f"slower; {advice}"
        )
        return False
    model.compile()
    return True
