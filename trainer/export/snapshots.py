"""The run at log-spaced steps, small enough to keep: how a model learned, to look at later.

    snapshots/step-00000064/model.safetensors   fp16, stock transformers
                            config.json, generation_config.json
                            snapshot.json       step, tokens seen, losses, sample stories

GPT-2's tokenizer ships, and is not stored again; another one is in the folder as in an export's. A
snapshot is written before the checkpoint of its step, and a run that resumes from a checkpoint
first drops the later ones: so a resumed run has the same ones, with the same content.
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
    """Write `model` (all ids of `tokenizer`, stock class) in fp16 as it is after `step` updates.

    Args:
        record: what snapshot.json says besides: tokens_seen; loss, nats per token on what that step
            read, before its update; validation_loss, after it, or None; stories, what the model
            writes then, {prompt, story} each (see complete.py).
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
    """Remove the snapshots of later steps, which the run is to take again."""
    for snapshot in folder.glob("step-????????"):
        if int(snapshot.name.removeprefix("step-")) > step:
            shutil.rmtree(snapshot)
