"""Read config.json as transformers does: missing and null values get the defaults of the family's
class, and names are the same for all families.

Families that the core computes (families.py) are read here; transformers reads all others.
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

ASSUMED_CONTEXT = 2_048  # tokens, for a model without a limit, such as one without positions
CONTEXTS = (  # names of the context length in different families
    "max_position_embeddings",
    "n_positions",
    "max_seq_len",
    "seq_length",
    "context_length",
    "n_ctx",
)
NULLABLE = (
    "num_key_value_heads",
    "bos_token_id",
    "eos_token_id",
)  # besides those with default None
SIZES = (
    "vocab_size",
    "hidden_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "max_position_embeddings",
)


class Config(SimpleNamespace):
    """The configuration of a model that the core computes, with transformers' names."""

    def get_text_config(self, **_: bool) -> Config:
        """Return this configuration, which has no parts for other modalities."""
        return self


def read_config(folder: Path) -> Any:
    """Return the configuration of a folder: a `Config` if the core computes the model, else an
    object of transformers' own class.

    Raises:
        ValueError: config.json cannot be read, or its model_type is unknown.
    """
    file = folder / "config.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError(f"{file} cannot be read: export the model again.") from None
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ValueError(f"{file} does not name a model_type: export the model again.")
    try:
        config = config_of(values)
    except ValueError as error:
        raise ValueError(f"{file} cannot be used: {error}.") from None
    return config or config_by_transformers(folder, values["model_type"])


def config_of(values: dict[str, Any]) -> Config | None:
    """Return the configuration for config.json's values, with defaults; None for a model that the
    core does not compute.

    Raises:
        ValueError: a value has the wrong type, or sizes do not match.
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
    """Return whether a value has the type of its default, as the classes of transformers check."""
    if name == "eos_token_id" and isinstance(value, list):
        return all(type(token_id) is int for token_id in value)
    if value is None:
        return True
    if default is None:
        return {"rope_parameters": dict, "layer_types": list}.get(name, int) is type(value)
    return type(value) is type(default) or (type(value), type(default)) == (int, float)


def rope_of(values: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters of rotary positions, also from the names of older files."""
    rope = values.get("rope_scaling") or values["rope_parameters"] or {}
    if not isinstance(rope, dict):
        raise ValueError(f"rope_scaling is {rope!r}")
    rope = dict(rope)
    theta = rope.get("rope_theta") or values.get("rope_theta") or 10_000.0
    if isinstance(theta, bool) or not isinstance(theta, (int, float)):
        raise ValueError(f"rope_theta is {theta!r}")
    rope["rope_theta"] = theta
    if values.get("partial_rotary_factor") is not None:
        rope.setdefault("partial_rotary_factor", values["partial_rotary_factor"])
    rope.setdefault("rope_type", rope.get("type", "default"))
    return rope


def config_by_transformers(folder: Path, model_type: str) -> Any:
    """Return the configuration of a folder as an object of transformers' class for its type."""
    file = folder / "config.json"
    transformers = transformers_for(folder, f"a model of the type {model_type!r}")
    if model_type not in transformers.CONFIG_MAPPING:
        raise ValueError(
            f"{file}: transformers {transformers.__version__} does not know the model_type "
            f"{model_type!r}, and Inkling does not run code from a model's folder: update "
            "transformers, or open another model."
        )
    config_class = transformers.CONFIG_MAPPING[model_type]
    try:
        # Unlike read_json, this also decodes transformers' form of infinities.
        values, _ = transformers.PretrainedConfig.get_config_dict(folder, local_files_only=True)
        return config_class.from_dict(without_invalid_nulls(config_class, values))
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"{file} cannot be used: {first_line(error)}") from None


def without_invalid_nulls(config_class: Any, values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without each null that the class refuses, so that its default is used."""
    valid = dict(values)
    for name in [name for name, value in values.items() if value is None]:
        try:
            config_class(**{name: None})
        except Exception:  # the library raises many kinds
            del valid[name]
    return valid


def context_of(config: Any) -> int:
    """Return a model's context length in tokens."""
    for name in CONTEXTS:
        value = getattr(config.get_text_config(decoder=True), name, None)
        if isinstance(value, int) and value > 0:
            return value
    return ASSUMED_CONTEXT


def eos_ids_of(folder: Path, config: Any, tokenizer: Any) -> frozenset[int]:
    """Return the end-of-text ids that generation_config.json, config.json and the tokenizer name;
    if none of them does, those of the configuration's class."""
    files = [read_json(folder / name) for name in ("generation_config.json", "config.json")]
    values = [*(file.get("eos_token_id") for file in files), tokenizer.eos_token_id]
    named = [token_id for value in values for token_id in ids_in(value)]
    if not named and not any("eos_token_id" in file for file in files):  # null: it has none
        named = list(ids_in(getattr(config, "eos_token_id", None)))
    return frozenset(token_id for token_id in named if token_id >= 0)


def bos_id_of(folder: Path, tokenizer: Any) -> int:
    """Return the id before a story: the beginning-of-text token, else the end-of-text token; for a
    model without both, a newline."""
    named = [
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        read_json(folder / "generation_config.json").get("bos_token_id"),
        read_json(folder / "config.json").get("bos_token_id"),
        *tokenizer.encode("\n")[-1:],
    ]
    return next((token_id for value in named for token_id in ids_in(value)), 0)


def suppressed_of(folder: Path, name: str, ids: range) -> tuple[int, ...]:
    """Return the ids of a list in generation_config.json, such as `suppress_tokens`; `ids` are the
    valid ones."""
    named = ids_in(read_json(folder / "generation_config.json").get(name))
    return tuple(sorted({token_id for token_id in named if token_id in ids}))


def ids_in(value: Any) -> Iterator[int]:
    """Yield the ids of a value: an id, a list of ids, or None."""
    for token_id in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(token_id, int) and not isinstance(token_id, bool):
            yield token_id
