"""Merge a LoRA adapter into its base model with PEFT; the result is used like any other model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from playground.folder.json_file import read_json
from playground.folder.libraries import transformers_for
from playground.folder.source import ADAPTER, find_folder
from playground.sentences import first_line


def base_of(adapter: Path, given: str | Path | None) -> Path:
    """Return the folder of an adapter's base model: `given`, or the model that the adapter names.

    Raises:
        ValueError: the adapter names no base model.
    """
    named = read_json(adapter / ADAPTER).get("base_model_name_or_path")
    if given is None and not (isinstance(named, str) and named):
        raise ValueError(f"{adapter} is an adapter that does not name its base: give --base.")
    try:
        return find_folder(given or str(named))
    except ValueError as error:
        raise ValueError(f"the base of the adapter {adapter}: {error}") from None


def merged_weights(adapter: Path, base: Path) -> dict[str, np.ndarray]:
    """Return the weights of the base with the adapter merged in.

    Raises:
        ValueError: a library is not installed, or the adapter does not fit the base.
    """
    transformers = transformers_for(adapter, "a LoRA adapter")
    try:
        from peft import PeftModel
    except ModuleNotFoundError:
        raise ValueError(
            f"{adapter} is an adapter, which needs the package peft: pip install peft."
        ) from None
    kind = read_json(adapter / ADAPTER).get("peft_type")
    if kind != "LORA":
        raise ValueError(f"{adapter} is an adapter of the kind {kind}: only LORA can be merged.")
    try:
        model: Any = transformers.AutoModelForCausalLM.from_pretrained(
            base, dtype="float32", local_files_only=True, use_safetensors=True
        )
        merged = PeftModel.from_pretrained(model, str(adapter)).merge_and_unload()
    except Exception as error:  # the libraries raise many kinds
        raise ValueError(f"{adapter} cannot be merged into {base}: {first_line(error)}") from None
    weights: dict[str, Any] = merged.state_dict()
    tied = getattr(merged, "_tied_weights_keys", None) or ()
    if merged.config.tie_word_embeddings:  # stored once, as in a folder
        weights = {name: weight for name, weight in weights.items() if name not in tied}
    return {name: weight.detach().contiguous().numpy() for name, weight in weights.items()}
