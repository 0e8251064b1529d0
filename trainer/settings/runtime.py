"""Settings of the machine: precision, compiler, DeepSpeed and micro-batches."""

from __future__ import annotations

from dataclasses import dataclass

from trainer.settings.setting import positive, setting


@dataclass(frozen=True)
class Runtime:
    """Precision, compiler, DeepSpeed, micro-batches; all but the precision change at most the last
    bits of the result."""

    precision: str = setting(
        "auto", "arithmetic of the matrix products", choices=("auto", "fp32", "bf16")
    )
    compile: str = setting(
        "auto", "compile the model (pays on long runs)", choices=("auto", "on", "off")
    )
    deepspeed: str = setting(
        "auto",
        "DeepSpeed, worth it from some 500M parameters; auto: when the launcher asks for it",
        choices=("auto", "on", "off"),
    )
    deepspeed_config: str = setting(
        "", "DeepSpeed's file (JSON) with ZeRO stage 1, 2 or 3; empty means ds_config.json, stage 2"
    )
    deterministic: bool = setting(True, "on a GPU, only kernels that give the same bits every time")
    micro_batch: int = setting(
        0, "blocks a process reads at once; 0 means as many as fit the batch", unit="blocks"
    )
    timeout: int = setting(
        600, "time without contact to the others after which a process ends", unit="seconds"
    )

    def complaints(self) -> list[str]:
        """Return a message for each invalid value."""
        complaints = positive("runtime", {"timeout": self.timeout})
        if self.micro_batch < 0:
            complaints.append(
                f"runtime.micro_batch must be 0 (automatic) or more, not {self.micro_batch}"
            )
        return complaints
