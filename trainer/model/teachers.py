"""Learn from the predictions of other models besides the stories: `--model.teachers`.

A few models that learned a small corpus from other seeds are better together than each alone; one
of the same size that learns their mean prediction keeps part of that (Hinton et al. 2015). The
teachers are computed beside the run and never change.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from trainer.corpus.tokenizer.tokenizer import Tokenizer
from trainer.model.build import new_decoder
from trainer.model.compact_vocabulary import Vocabulary
from trainer.model.load import drop_other_rows, open_model
from trainer.model.pretrained import copy_weights, shape_of
from trainer.settings.config import Config


def open_teachers(config: Config, tokenizer: Tokenizer) -> list[PreTrainedModel]:
    """The models that model.teachers names.

    Raises:
        ValueError: a model does not exist, the trainer cannot make its shape, it has another
            tokenizer than the stories, or looks back on fewer tokens than the run.
    """
    found = []
    for name in config.model.teacher_names:
        model, its = open_model(name, stores=config.corpus.folder)
        shape = shape_of(model.config, f"model.teachers {name}")
        if not drop_other_rows(model, its, tokenizer):
            raise ValueError(
                f"model.teachers {name} has another vocabulary than the stories "
                f"({tokenizer.name}): name models that were trained with the same corpus.tokenizer"
            )
        if shape.context < config.model.context:
            raise ValueError(
                f"model.teachers {name} looks back on {shape.context:,} tokens and the run on "
                f"{config.model.context:,}: lower model.context, or name another model"
            )
        found.append(model)
    return found


def over_slots(
    models: Sequence[PreTrainedModel], vocabulary: Vocabulary, device: torch.device
) -> list[PreTrainedModel]:
    """Teachers over the slots of a run's vocabulary, ready to predict on `device`. Rows of ids that
    share a slot are taken to be equal, as they are in our exports."""
    found = []
    for model in models:
        shape = shape_of(model.config, "the teacher")
        decoder: Any = new_decoder(shape, vocabulary, seed=0, base=model.config)
        copy_weights(model, decoder, vocabulary)
        found.append(decoder.eval().requires_grad_(False).to(device))
    return found
