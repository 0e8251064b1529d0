"""Opens a folder as a stock causal language model in fp32, or says in a sentence why it does not.

transformers fills weights that a file lacks with random numbers and only warns; a number measured
on those would be wrong in silence, so such a folder is refused. Code that a folder brings along is
never run.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)


def open_model(
    folder: str | Path, *, device: str = "cpu"
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """The model of a transformers folder, in fp32 and ready to judge, with its tokenizer.

    Raises:
        ValueError: the folder is missing, lacks a part, or does not hold what its config.json says.
    """
    folder = Path(folder)
    if device.startswith("mps"):
        raise ValueError(
            "likelihoods are summed in float64, which a Mac's GPU (mps) does not have: give "
            "--device cpu"
        )
    if not folder.is_dir():
        raise ValueError(f"there is no model folder {folder}")
    for name in ("config.json", "tokenizer_config.json"):
        if not (folder / name).is_file():
            raise ValueError(f"the model folder {folder} has no {name}")
    if not any(folder.glob("*.safetensors")):
        raise ValueError(f"the model folder {folder} has no .safetensors file")
    try:
        opened: Any = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as problem:  # a broken file raises whatever its reader happens to raise
        reason = (str(problem).strip().splitlines() or [type(problem).__name__])[0]
        raise ValueError(f"the model folder {folder} does not open: {reason}") from problem
    model, report = opened
    if report["missing_keys"]:
        raise ValueError(
            f"the model folder {folder} lacks weights that its config.json asks for:"
            f" {sorted(report['missing_keys'])[0]} and {len(report['missing_keys']) - 1} more"
        )
    if tokenizer.eos_token_id is None:
        raise ValueError(f"the tokenizer in {folder} names no end-of-text token (eos_token)")
    try:
        return model.eval().to(device), tokenizer
    except (RuntimeError, AssertionError) as problem:
        reason = str(problem).splitlines()[0]
        raise ValueError(f"the device {device} cannot be used: {reason}") from problem
