"""Whether and how a run's model is compiled."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from trainer.distributed.runtime import Runtime
from trainer.model import device

SHORT_RUN = 500  # updates; a shorter run ends before compiling has paid


def compile_model(
    model: nn.Module, setting: str, num_steps: int, runtime: Runtime, say: Callable[[str], None]
) -> bool:
    """Compile the model if `setting` (auto, on, off) and this machine allow it; whether it was.

    Raises:
        ValueError: the setting is on, and compiling does not work here.
    """
    if setting == "off" or (setting == "auto" and num_steps < SHORT_RUN):
        return False
    if runtime.zero_stage == 3:  # its weights are empty while Dynamo traces them
        if setting == "on":
            raise ValueError("runtime.compile on does not work with ZeRO stage 3: use auto")
        say("ZeRO stage 3 cannot be compiled: training goes on uncompiled")
        return False
    reason = device.why_not_compiled(runtime.device)
    if runtime.any(reason is not None):  # all processes alike
        reason = reason or "another process cannot"
        advice = "install a C++ compiler and Python's headers (Debian: g++ and python3-dev)"
        if setting == "on":
            raise ValueError(
                f"runtime.compile is on but compiling does not work here ({reason}): {advice}, or "
                "use auto"
            )
        say(
            f"compiling does not work here ({reason}): training goes on uncompiled, which is "
            f"slower; {advice}"
        )
        return False
    model.compile()
    return True
