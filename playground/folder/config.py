"""config.json, read as transformers reads it: what a folder leaves out or leaves empty is what its
own class has there, and names are the same for all families.

The families that the core computes (families.py) are read here; all others by transformers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from playground.folder.families import FAMILIES, family_of
from playground.folder.json_file import read_json
from playground.folder.libraries import transformers_for
from playground.sentences import first_line

ASSUMED_CONTEXT = 2_048  # tokens, where a model names no bound, as those without positions do
CONTEXTS = (  # what families call the tokens that a model was made for
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "context_length",
    "n_ctx",
)


NULLABLE = ("num_key_value_heads", "bos_token_id", "eos_token_id")  # beside those that are None
SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
)


class Config(SimpleNamespace):
    """The configuration of a family that the core computes, with transformers' names."""

    def get_text_config(self, **_: bool) -> Config:
        """Return this configuration: it has no other part."""
        return self


def read_config(folder: Path) -> Any:
    """Return the configuration of a folder: a `Config` where the core computes the model, else an
    object of transformers' own class.

    Raises:
        ValueError: it cannot be read, or the kind of model is not known; one sentence.
    """
    file = folder / "config.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError(f"{file} cannot be read: export the model again.") from None
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ValueError(f"{file} does not name a model_type: export the model again.")
    try:
        found = config_of(values)
    except ValueError as error:
        raise ValueError(f"{file} cannot be used: {error}.") from None
    return found or config_by_transformers(folder, values["model_type"])


def config_of(values: dict[str, Any]) -> Config | None:
    """Return the configuration that config.json's values make in their family's class; None for a
    shape that the core does not compute.

    Raises:
        ValueError: a value has another type, or sizes do not fit each other.
    """
    family = FAMILIES.get(values.get("model_type", ""))
    if family is None:
        return None
    values = {family.renamed.get(name, name): value for name, value in values.items()}
    for name, default in family.defaults.items():
        value = values.get(name, default)
        if value is None and default is not None and name not in NULLABLE:
            value = default
        if not has_type_of(value, default, name):
            raise ValueError(f"{name} is {value!r}")
        values[name] = value
    if "rope_parameters" in family.defaults:
        values["rope_parameters"] = rope_of(values)
        values["head_dim"] = values["head_dim"] or (
            values["hidden_size"] // max(1, values["num_attention_heads"])
        )
        values["num_key_value_heads"] = (
            values["num_key_value_heads"] or values["num_attention_heads"]
        )
    for name in (*SIZES, "head_dim"):
        if name in values and values[name] < 1:
            raise ValueError(f"{name} is {values[name]}")
    layers = values.get("layer_types")
    if layers is not None and len(layers) != values["num_hidden_layers"]:
        raise ValueError(f"layer_types names {len(layers)} layers")
    config = Config(**values)
    return config if family_of(config) is not None else None


def has_type_of(value: Any, default: Any, name: str) -> bool:
    """Return whether a value has the type of its default, as the classes of transformers check it."""
    if name == "eos_token_id" and isinstance(value, list):
        return all(type(one) is int for one in value)
    if value is None:
        return True
    if default is None:
        return {"rope_parameters": dict, "layer_types": list}.get(name, int) is type(value)
    return type(value) is type(default) or (type(value), type(default)) == (int, float)


def rope_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the rotary positions, also under the names of older files."""
    found = values.get("rope_scaling") or values["rope_parameters"] or {}
    if not isinstance(found, dict):
        raise ValueError(f"rope_scaling is {found!r}")
    found = dict(found)
    theta = found.get("rope_theta") or values.get("rope_theta") or 10_000.0
    if isinstance(theta, bool) or not isinstance(theta, (int, float)):
        raise ValueError(f"rope_theta is {theta!r}")
    found["rope_theta"] = theta
    if values.get("partial_rotary_factor") is not None:
        found.setdefault("partial_rotary_factor", values["partial_rotary_factor"])
    found.setdefault("rope_type", found.get("type", "default"))
    return found


def config_by_transformers(folder: Path, kind: str) -> Any:
    """Return the configuration of a folder that names this model_type, an object of its own class."""
    file = folder / "config.json"
    transformers = transformers_for(folder, f"a model of the kind {kind!r}")
    if kind not in transformers.CONFIG_MAPPING:
        raise ValueError(
            f"{file}: transformers {transformers.__version__} does not know the model_type "
            f"{kind!r}, and code that a folder brings along is not run: update transformers, or "
            "open another model."
        )
    made = transformers.CONFIG_MAPPING[kind]
    try:
        values, _ = transformers.PretrainedConfig.get_config_dict(
            folder, local_files_only=True
        )  # infinities too
        return made.from_dict(without_wrong_nulls(made, values))
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"{file} cannot be used: {first_line(error)}") from None


def without_wrong_nulls(made: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without each null that the class `made` does not take: its own stands
    there."""

    def takes(name: str) -> bool:
        try:
            made(**{name: None})
        except Exception:  # the library raises many kinds
            return False
        return True

    return {name: value for name, value in values.items() if value is not None or takes(name)}


def context_of(config: Any) -> int:
    """Tokens that a model was made to look back on."""
    for name in CONTEXTS:
        value = getattr(config.get_text_config(decoder=True), name, None)
        if isinstance(value, int) and value > 0:
            return value
    return ASSUMED_CONTEXT


def ends_of(folder: Path, config: Any, tokenizer: Any) -> frozenset[int]:
    """Return the ids that end a story: those of the generation's settings, of the configuration and
    of the tokenizer together; what the configuration's class has where none of the three says."""
    named = [
        *ids_in(read_json(folder / "generation_config.json").get("eos_token_id")),
        *ids_in(read_json(folder / "config.json").get("eos_token_id")),
        *ids_in(tokenizer.eos_token_id),
    ]
    if not named and not says_none(folder):
        named = list(ids_in(getattr(config, "eos_token_id", None)))
    return frozenset(token_id for token_id in named if token_id >= 0)


def start_of(folder: Path, tokenizer: Any) -> int:
    """Return the id before a story: what begins a text, else what ends one; where a model has
    neither, the end of a line."""
    named = [
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        read_json(folder / "generation_config.json").get("bos_token_id"),
        read_json(folder / "config.json").get("bos_token_id"),
        *tokenizer.encode("\n")[-1:],
    ]
    return next((token_id for one in named for token_id in ids_in(one)), 0)


def suppressed_of(folder: Path, name: str, ids: range) -> tuple[int, ...]:
    """Return the ids that the generation's settings suppress under that name, of those that there
    are."""
    named = ids_in(read_json(folder / "generation_config.json").get(name))
    return tuple(sorted({token_id for token_id in named if token_id in ids}))


def says_none(folder: Path) -> bool:
    """Return whether a folder says that the model has no end token, rather than leaving it out."""
    return any(
        "eos_token_id" in read_json(folder / name)
        for name in ("generation_config.json", "config.json")
    )


def ids_in(value: Any) -> Iterator[int]:
    """Yield the ids of a value that is one, a list of some, or none."""
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, int) and not isinstance(one, bool):
            yield one
