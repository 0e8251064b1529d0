"""The identity of a run: the settings that determine its result, compared with a checkpoint's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trainer.settings.config import Config
from trainer.settings.setting import DEFAULTS_BEFORE, RENAMED

# Settings of `model` that name other models, whose fingerprints are in sections of the same names.
MODELS = ("init_from", "teachers")


def run_identity(
    config: Config, corpus_fingerprint: str, num_steps: int, dtype: torch.dtype
) -> dict[str, Any]:
    """Return the settings that determine the result. A checkpoint whose identity differs is not
    resumed. `dtype`: of the matrix products, which depends on the machine."""
    precision = "bf16" if dtype == torch.bfloat16 else "fp32"
    settings = config.to_dict()
    return {
        "model": settings["model"],
        "optim": settings["optim"] | {"steps": num_steps},
        "run": {"seed": config.run.seed},
        "runtime": {"precision": precision},
        "corpus": {"fingerprint": corpus_fingerprint},
    }


def differences(saved: dict[str, Any], wanted: dict[str, Any]) -> Iterator[str]:
    """Yield the differences between two identities, such as `section.key was A and is now B`.
    Renamed settings and models with another path but the same weights do not differ."""
    saved, wanted = without_paths(updated(saved, wanted), wanted)
    for section in sorted(saved.keys() | wanted.keys()):
        before, after = saved.get(section, {}), wanted.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) and section in MODELS:
                yield f"the weights of model.{section} differ"
            elif before.get(key) != after.get(key):
                yield f"{section}.{key} was {before.get(key)} and is now {after.get(key)}"


def without_paths(
    saved: dict[str, Any], wanted: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both identities without the names of models with equal fingerprints, and without the
    fingerprints of models whose names differ."""
    before, after = (
        {name: dict(keys) for name, keys in identity.items()} for identity in (saved, wanted)
    )
    for key in MODELS:
        if saved.get(key) == wanted.get(key) is not None:
            drop_from = [identity.get("model", {}) for identity in (before, after)]
        elif saved.get("model", {}).get(key) != wanted.get("model", {}).get(key):
            drop_from = [before, after]
        else:
            continue
        for keys in drop_from:
            keys.pop(key, None)
    return before, after


def is_extended(saved: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether `wanted` is the same `wsd` run with more steps."""
    before, after = saved["optim"], wanted["optim"]
    if after["schedule"] != "wsd" or not before["steps"] < after["steps"]:
        return False
    optim = before | {"steps": after["steps"], "epochs": after["epochs"]}
    return not list(differences(saved | {"optim": optim}, wanted))


def updated(identity: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return an identity of an older version in today's form, without newer keys that are not
    `wanted`."""
    settings = updated_settings(identity)
    for name in DEFAULTS_BEFORE:
        section, key = name.split(".")
        if key not in wanted.get(section, {}):
            settings.get(section, {}).pop(key, None)
    return settings


def updated_settings(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in an identity of an older version, with today's names and defaults."""
    settings: dict[str, Any] = {section: dict(keys) for section, keys in identity.items()}
    for old, new in RENAMED.items():
        (section, before), (new_section, after) = old.split("."), new.split(".")
        if before in settings.get(section, {}):
            settings.setdefault(new_section, {})[after] = settings[section].pop(before)
    for name, before in DEFAULTS_BEFORE.items():
        section, key = name.split(".")
        if section in settings:
            settings[section].setdefault(key, before)
    return settings
