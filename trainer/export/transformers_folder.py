"""The folder that leaves a run: stock transformers files, `training.json`, a model card with its
curve.

    model.safetensors, config.json, generation_config.json, tokenizer.json, tokenizer_config.json
    training.json      settings, corpus and evaluation, for programs
    README.md          the same for people, with curve.png
    snapshots/step-N/  the model on its way, if the run took some; see snapshots.py
    history.json       what it wrote on its way; see history.py

Written beside its path and renamed, so a folder called `export` is always whole.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import transformers
from transformers import GenerationConfig, PreTrainedModel

from trainer.corpus.tokenizer import Tokenizer
from trainer.export import history
from trainer.export.model_card import SAMPLING, write_card
from trainer.export.tokenizer_files import save_tokenizer
from trainer.storage.atomic import atomic_directory
from trainer.storage.checkpoint import sha256


def export(
    folder: Path,
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    training: dict[str, Any],
    curve: Path | None,
    snapshots: Path | None = None,
    stages: Sequence[dict[str, Any]] = (),
) -> None:
    """Write `model` (all ids of `tokenizer`, stock class) to `folder`; what stood there goes when
    the new one is whole.

    `training` is what the run knows of itself; see `describe`. `curve` is a picture to take along,
    `snapshots` a folder of them (no more disk where it has hard links), and `stages` what the model
    wrote on its way.
    """
    with atomic_directory(folder) as partial:
        save_model(model, partial)
        save_tokenizer(partial, tokenizer, model.config.max_position_embeddings)
        if curve is not None:
            shutil.copyfile(curve, partial / "curve.png")
        if snapshots is not None and snapshots.is_dir():
            unfinished = shutil.ignore_patterns("*.partial", "*.old")
            shutil.copytree(snapshots, partial / "snapshots", ignore=unfinished, copy_function=link)
        if stages:
            history.write(partial, list(stages))
        weights = sorted(partial.glob("*.safetensors"))
        write_card(partial, training | {"files": {file.name: sha256(file) for file in weights}})


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Write the weights and what stock transformers has to know of them."""
    transformers.utils.logging.disable_progress_bar()  # the run has its own
    model.generation_config = GenerationConfig(
        do_sample=True,
        temperature=SAMPLING["temperature"],
        top_k=SAMPLING["top_k"],
        max_new_tokens=SAMPLING["length"],
        bos_token_id=model.config.bos_token_id,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=model.config.eos_token_id,
    )
    model.save_pretrained(folder)


def link(source: str, target: str) -> None:
    """One file under two names, or a copy where the disk cannot."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
