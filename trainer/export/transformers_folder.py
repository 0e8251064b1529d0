"""The folder of an export: stock transformers files, `training.json`, a model card with its curve.

    model.safetensors, config.json, generation_config.json, tokenizer.json, tokenizer_config.json
    training.json      settings, corpus and evaluation, for programs
    README.md          the same for people, with curve.png
    snapshots/step-N/  the model at earlier steps, if the run wrote snapshots; see snapshots.py
    history.json       stories of the snapshots; see complete.py

The files of the first two lines are written to a temporary folder, which is then renamed, so a
folder called `export` always has a complete model; complete.py adds the others.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import transformers
from transformers import GenerationConfig, PreTrainedModel

from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK, FILE, GPT2, Tokenizer
from trainer.export.model_card import SAMPLING, write_training
from trainer.model.device import set_deepspeed_device
from trainer.storage.atomic import atomic_directory
from trainer.storage.checkpoint import sha256


def export(
    folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, training: dict[str, Any]
) -> None:
    """Write `model` (all ids of `tokenizer`, stock class) to `folder`; an older export is replaced
    when the new one is complete.

    `training`: the content of training.json, see `describe`; the checksums of the weights are
    added.
    """
    with atomic_directory(folder) as partial:
        save_model(model, partial)
        save_tokenizer(partial, tokenizer, model.config.max_position_embeddings)
        weights = sorted(partial.glob("*.safetensors"))
        training["files"] = {file.name: sha256(file) for file in weights}
        write_training(partial, training)


def save_model(model: PreTrainedModel, folder: Path) -> None:
    """Write the weights and the configuration for stock transformers. The model is not changed: the
    run evaluates it afterwards."""
    transformers.utils.logging.disable_progress_bar()  # the run shows its own
    set_deepspeed_device()
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


def save_tokenizer(folder: Path, tokenizer: Tokenizer, context: int) -> None:
    """Write tokenizer.json and tokenizer_config.json for a model that sees `context` tokens.

    A story begins after the end-of-text token, so a template adds this token: without it a model
    starts outside its training distribution. The same token pads batches.
    """
    processors = [tokenizer.described["post_processor"], start_template(tokenizer.end_of_text)]
    whole = {"post_processor": {"type": "Sequence", "processors": processors}}
    write_json(folder / FILE, tokenizer.described | whole)
    settings = json.loads((GPT2 / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {
        "tokenizer_class": "PreTrainedTokenizerFast",  # GPT-2's own would leave the template out
        "pad_token": END_OF_TEXT_MARK,
        "model_max_length": context,
    }
    write_json(folder / "tokenizer_config.json", settings)


def start_template(end_of_text: int) -> dict[str, Any]:
    """Return the template that puts the end-of-text token before a text."""
    mark = {"SpecialToken": {"id": END_OF_TEXT_MARK, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [mark, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [
            mark,
            {"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}},
        ],
        "special_tokens": {
            END_OF_TEXT_MARK: {
                "id": END_OF_TEXT_MARK,
                "ids": [end_of_text],
                "tokens": [END_OF_TEXT_MARK],
            }
        },
    }


def write_json(file: Path, content: dict[str, Any]) -> None:
    """Write a JSON file in one line."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    file.write_text(text, encoding="utf-8")
