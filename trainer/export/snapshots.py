"""Snapshots of a run at log-spaced steps, which show how a model learned.

    snapshots/step-00000064/model.safetensors   fp16, stock transformers
                            config.json, generation_config.json
                            snapshot.json       step, tokens seen, losses, sample stories

GPT-2's tokenizer is not stored again; any other is in the folder, as in an export. A snapshot is
written before the checkpoint of its step, and a run that resumes from a checkpoint first drops the
later snapshots: so a resumed run has the same snapshots.
"""

from __future__ import annotations

import copy
import json
import shutil
from pathlib import Path
from typing import Any

from transformers import PreTrainedModel

from trainer.corpus.tokenizer.tokenizer import Tokenizer
from trainer.export.transformers_folder import save_model, save_tokenizer
from trainer.storage.atomic import atomic_directory

FORMAT = 1


def save(
    folder: Path, model: PreTrainedModel, tokenizer: Tokenizer, *, step: int, **record: Any
) -> Path:
    """Write `model` (all ids of `tokenizer`, stock class) in fp16 after `step` updates.

    Args:
        record: more values for snapshot.json: tokens_seen; loss, nats per token of the step's
            batch before its update; validation_loss, after the update, or None; stories by the
            model, {prompt, story} each (see complete.py).
    """
    final = folder / f"step-{step:08d}"
    with atomic_directory(final) as partial:
        save_model(copy.deepcopy(model).half(), partial)
        if not tokenizer.is_gpt2:
            save_tokenizer(partial, tokenizer, model.config.max_position_embeddings)
        about = {"format": FORMAT, "step": step} | record
        (partial / "snapshot.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return final


def drop_after(folder: Path, step: int) -> None:
    """Remove the snapshots of later steps, which the run will write again."""
    for snapshot in folder.glob("step-????????"):
        if int(snapshot.name.removeprefix("step-")) > step:
            shutil.rmtree(snapshot)
