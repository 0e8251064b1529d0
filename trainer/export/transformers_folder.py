"""The folder that leaves a run: stock transformers files, `training.json`, a model card with its
curve.

    model.safetensors, config.json, generation_config.json, tokenizer.json, tokenizer_config.json
    training.json      settings, corpus and evaluation, for programs
    README.md          the same for people, with curve.png
    snapshots/step-N/  the model on its way, if the run took some; see snapshots.py
    history.json       what it wrote on its way; see history.py

The first two lines are written beside the folder's path and renamed, so a folder called `export`
always has a whole model; complete.py adds the others.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import transformers
from transformers import GenerationConfig, PreTrainedModel

from trainer.corpus.tokenizer.tokenizer import Tokenizer
from trainer.export.model_card import SAMPLING, write_training
from trainer.export.tokenizer_files import save_tokenizer
from trainer.storage.atomic import atomic_directory
from trainer.storage.checkpoint import sha256


def export(
    folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, training: dict[str, Any]
) -> None:
    """Write `model` (all ids of `tokenizer`, stock class) to `folder`; what stood there goes when
    the new one is whole.

    `training` is what the run knows of itself, see `describe`; the checksums of the weights are
    added to it.
    """
    with atomic_directory(folder) as partial:
        save_model(model, partial)
        save_tokenizer(partial, tokenizer, model.config.max_position_embeddings)
        weights = sorted(partial.glob("*.safetensors"))
        training["files"] = {file.name: sha256(file) for file in weights}
        write_training(partial, training)


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Write the weights and what stock transformers has to know of them. The model is left as it
    is: the run evaluates it afterwards."""
    transformers.utils.logging.disable_progress_bar()  # the run has its own
    before = model.generation_config
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=SAMPLING["temperature"],
        top_k=SAMPLING["top_k"],
        max_new_tokens=SAMPLING["length"],
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.eos_token_id,
    )
    try:
        model.save_pretrained(folder)
    finally:
        model.generation_config = before
