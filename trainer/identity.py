"""Which run it is: what its result depends on, compared with a checkpoint's and with the other
processes'."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trainer.config import Config
from trainer.corpus.blocks import TokenStore
from trainer.runtime import Runtime
from trainer.sharing import from_main


def identity(
    config: Config, store: TokenStore, num_steps: int, dtype: torch.dtype
) -> dict[str, Any]:
    """What the result depends on; a checkpoint with another identity is not gone on with. `dtype`
    is that of the matrix products, which runtime.precision auto leaves to the machine."""
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    settings = config.to_dict()
    return {
        "model": settings["model"],
        "optim": settings["optim"] | {"steps": num_steps},
        "run": {"seed": config.run.seed},
        "runtime": {
            "compact_vocabulary": config.runtime.compact_vocabulary,
            "precision": precision,
        },
        "corpus": {"fingerprint": store.fingerprint},
    }


def differences(saved: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """What changed between two identities, `section.key was A and is now B` each."""
    for section in sorted(saved.keys() | wanted.keys()):
        before, after = saved.get(section, {}), wanted.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key):
                yield f"{section}.{key} was {before.get(key)} and is now {after.get(key)}"


def agree(config: Config, store: TokenStore, runtime: Runtime) -> None:
    """See that all processes make the same run.

    Raises:
        ValueError: this process, or another, differs from the main one.
    """
    mine = config.to_dict()
    mine["run"]["dir"] = ""  # each machine may have a folder and copies of its own
    mine["corpus"] = {"fingerprint": store.fingerprint}
    theirs = from_main(mine, runtime.device)
    other = [
        f"{section}.{key} is {mine[section].get(key)} and {value} there"
        for section, keys in theirs.items()
        for key, value in keys.items()
        if mine[section].get(key) != value
    ]
    if runtime.any(bool(other)):
        differs = "; ".join(other) or "the other's error names them"
        raise ValueError(
            f"a process of the run has other settings or stories than the main one ({differs}):"
            " give the same command on every machine"
        )
