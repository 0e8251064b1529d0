"""Which run it is: what its result depends on, compared with a checkpoint's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from trainer.settings.config import Config
from trainer.settings.setting import DEFAULTS_BEFORE, RENAMED

# Settings of [model] that name other models; a section of that name has their fingerprints.
MODELS = ("init_from", "teachers")


def run_identity(
    config: Config, corpus_fingerprint: str, num_steps: int, dtype: torch.dtype
) -> dict[str, Any]:
    """Return the settings that determine the result; a checkpoint whose identity differs is not
    resumed. `dtype` is that of the matrix products, which runtime.precision auto leaves to the
    machine."""
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
    """Yield what differs between two identities, `section.key was A and is now B` each. A setting
    that was only renamed does not differ, nor a model that only has another path."""
    saved, wanted = without_paths(updated(saved, wanted), wanted)
    for section in sorted(saved.keys() | wanted.keys()):
        before, after = saved.get(section, {}), wanted.get(section, {})
        for key in sorted(before.keys() | after.keys()):
            if before.get(key) != after.get(key) and section in MODELS:
                yield f"the weights of model.{section} are others"
            elif before.get(key) != after.get(key):
                yield f"{section}.{key} was {before.get(key)} and is now {after.get(key)}"


def without_paths(
    saved: dict[str, Any], wanted: dict[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return both without the names of models whose weights have the same fingerprints, and without
    the fingerprints of models whose names differ already."""
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


def goes_on_longer(saved: dict[str, Any], wanted: dict[str, Any]) -> bool:
    """Return whether the two are one `wsd` run that is to be longer than planned."""
    before, after = saved["optim"], wanted["optim"]
    if after["schedule"] != "wsd" or not before["steps"] < after["steps"]:
        return False
    longer = saved | {
        "optim": before | {"steps": after["steps"], "epochs": after["epochs"]},
    }
    return not list(differences(longer, wanted))


def updated(identity: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """Return an identity of an older version as it would be written today, with wanted keys
    only."""
    settings = updated_settings(identity)
    for name in DEFAULTS_BEFORE:
        section, key = name.split(".")
        if key not in wanted.get(section, {}):
            settings.get(section, {}).pop(key, None)
    return settings


def updated_settings(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the settings in an identity of an older version, by today's names."""
    settings: dict[str, Any] = {section: dict(keys) for section, keys in identity.items()}
    for old, new in RENAMED.items():
        (section, before), (goes_to, after) = old.split("."), new.split(".")
        if before in settings.get(section, {}):
            settings.setdefault(goes_to, {})[after] = settings[section].pop(before)
    for name, before in DEFAULTS_BEFORE.items():
        section, key = name.split(".")
        if section in settings:
            settings[section].setdefault(key, before)
    return settings
