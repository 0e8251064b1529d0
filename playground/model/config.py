"""config.json, read as transformers reads it: what a folder leaves out or leaves empty is what its
own class has there, and names are the same for all families."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import transformers
from transformers import CONFIG_MAPPING, PretrainedConfig

from playground.model.json_file import read_json
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


def read_config(folder: Path) -> Any:
    """The configuration of a folder, an object of transformers' own class.

    Raises:
        ValueError: it cannot be read, or transformers does not know the kind of model.
    """
    file = folder / "config.json"
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        raise ValueError(f"{file} cannot be read: export the model again.") from None
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise ValueError(f"{file} does not name a model_type: export the model again.")
    kind = values["model_type"]
    if kind not in CONFIG_MAPPING:
        raise ValueError(
            f"{file}: transformers {transformers.__version__} does not know the model_type "
            f"{kind!r}, and code that a folder brings along is not run: update transformers, or "
            "open another model."
        )
    made = CONFIG_MAPPING[kind]
    try:
        values, _ = PretrainedConfig.get_config_dict(
            folder, local_files_only=True
        )  # infinities too
        return made.from_dict(without_wrong_nulls(made, values))
    except Exception as error:  # the library raises many kinds
        raise ValueError(f"{file} cannot be used: {first_line(error)}") from None


def without_wrong_nulls(made: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values without each null that the class `made` does not take: its own stands there."""

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
    """The ids that end a story: those of the generation's settings, of the configuration and of
    the tokenizer together; what the configuration's class has where none of the three says."""
    named = [
        *ids_in(read_json(folder / "generation_config.json").get("eos_token_id")),
        *ids_in(read_json(folder / "config.json").get("eos_token_id")),
        *ids_in(tokenizer.eos_token_id),
    ]
    if not named and not says_none(folder):
        named = list(ids_in(getattr(config, "eos_token_id", None)))
    return frozenset(token_id for token_id in named if token_id >= 0)


def start_of(folder: Path, tokenizer: Any) -> int:
    """The id before a story: what begins a text, else what ends one; where a model has neither, the
    end of a line."""
    named = [
        tokenizer.bos_token_id,
        tokenizer.eos_token_id,
        read_json(folder / "generation_config.json").get("bos_token_id"),
        read_json(folder / "config.json").get("bos_token_id"),
        *tokenizer("\n", add_special_tokens=False).input_ids[-1:],
    ]
    return next((token_id for one in named for token_id in ids_in(one)), 0)


def suppressed_of(folder: Path, name: str, ids: range) -> tuple[int, ...]:
    """The ids that the generation's settings suppress under that name, of those that there are."""
    named = ids_in(read_json(folder / "generation_config.json").get(name))
    return tuple(sorted({token_id for token_id in named if token_id in ids}))


def says_none(folder: Path) -> bool:
    """Whether a folder says of the end that there is none, and does not just leave it out."""
    return any(
        "eos_token_id" in read_json(folder / name)
        for name in ("generation_config.json", "config.json")
    )


def ids_in(value: Any) -> Iterator[int]:
    """The ids of a value that is one, a list of some, or none."""
    for one in value if isinstance(value, (list, tuple)) else [value]:
        if isinstance(one, int) and not isinstance(one, bool):
            yield one
