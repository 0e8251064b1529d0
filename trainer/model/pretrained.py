"""Existing models of a run: the model that it starts from, and its teachers.

`--model.init_from`: the run has the model's shape, and trains the model's ids besides those of the
new stories, so the model keeps its words. The rest of its configuration (rotary positions, grouped
keys, windows) is unchanged; only the context may be shorter. The learning rates are those of
fine-tuning unless they are given.

`--model.teachers`: the mean prediction of a few models that learned a small corpus from other seeds
is better than each alone; a model of the same size that learns it keeps part of the gain (Hinton et
al. 2015). The teachers never change.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from trainer.corpus.tokenizer.tokenizer import MOST_IDS, Tokenizer
from trainer.model.build import POSITIONS, new_decoder
from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.model.load import drop_other_rows, give_ids, open_model
from trainer.output.console import say_once
from trainer.settings.blocks import BLOCKS, EMBEDDINGS
from trainer.settings.config import Config
from trainer.settings.model import Model

# A quarter of the usual rates, and a small batch: there are usually few stories (docs/LOG.md).
FINE_TUNING: dict[str, Any] = {
    "optim.lr": 5e-4,
    "optim.muon_lr": 1e-3,
    "optim.global_batch": 8,
}
SHAPE = ("block", "num_layers", "hidden", "num_heads", "kv_heads", "intermediate")
# A longer context of the model is used only if model.context is given: an update of Qwen3's 40,960
# tokens does not fit a small machine, and stories are shorter.
LONGEST_CONTEXT = 1024
# Values that the loss and intra-document attention masking need, by the configuration's names.
NEEDED = {"tie_word_embeddings": True, "use_sliding_window": False, "add_cross_attention": False}
ROTARY_KINDS = ("default", "linear", "llama3", "yarn")  # independent of the context


def open_pretrained(
    config: Config,
) -> tuple[Config, tuple[PreTrainedModel, PreTrainedTokenizerBase] | None]:
    """Return the settings with the shape of the model to start from, and that model with its
    tokenizer, or None without one. Raises ValueError if the model does not exist, the trainer
    does not support its shape, or a setting contradicts it."""
    name = config.model.init_from
    if not name:
        return config, None
    model, tokenizer = open_model(name, stores=config.corpus.folder)
    shape = shape_of(model.config, f"model.init_from {name}")
    for key in SHAPE:
        setting, theirs = getattr(config.model, key), getattr(shape, key)
        if f"model.{key}" in config.given and setting != theirs:
            raise ValueError(
                f"model.{key} is {setting} and {theirs} in {name}: leave it out, the shape is that "
                "of model.init_from"
            )
    context = config.model.context
    if "model.context" not in config.given:
        context = min(shape.context, LONGEST_CONTEXT)
    elif context > shape.context:
        raise ValueError(
            f"model.context is {context:,} and {name} looks back on {shape.context:,} tokens: "
            "give that or less"
        )
    changes = {key: getattr(shape, key) for key in SHAPE} | {"context": context}
    settings = dataclasses.replace(config.model, **changes)
    optim = {
        name.partition(".")[2]: value
        for name, value in FINE_TUNING.items()
        if name not in config.given
    }
    return dataclasses.replace(
        config, model=settings, optim=dataclasses.replace(config.optim, **optim)
    ), (model, tokenizer)


def shape_of(stock: PretrainedConfig, name: str) -> Model:
    """Return the shape of a stock model as the trainer's settings; `name` is for messages. Raises
    ValueError if the trainer cannot train it."""
    if stock.model_type not in BLOCKS:
        raise ValueError(
            f"{name} is a {stock.model_type}: the trainer knows {', '.join(BLOCKS)} models"
        )
    for key, value in unsuitable(stock):
        raise ValueError(f"{name} has {key} {value}, which the trainer cannot train")
    kv_heads = getattr(stock, "num_key_value_heads", stock.num_attention_heads)
    return Model(
        block=stock.model_type,
        num_layers=stock.num_hidden_layers,
        hidden=stock.hidden_size,
        num_heads=stock.num_attention_heads,
        kv_heads=0 if kv_heads == stock.num_attention_heads else kv_heads,
        intermediate=getattr(stock, "intermediate_size", None)
        or getattr(stock, "n_inner", None)
        or 4 * stock.hidden_size,
        context=stock.max_position_embeddings,
    )


def unsuitable(stock: PretrainedConfig) -> Iterator[tuple[str, Any]]:
    """Yield the values of a configuration that the trainer cannot train, as (name, value)."""
    for key, needed in NEEDED.items():
        value = getattr(stock, key, needed)
        if value != needed:
            yield key, value
    rotary = getattr(stock, "rope_parameters", None) or {}
    kind = rotary.get("rope_type", "default")
    if kind not in ROTARY_KINDS or (kind == "yarn" and not rotary.get("factor")):
        yield "rope_parameters", rotary


def take_vocabulary(
    name: str, model: PreTrainedModel, theirs: PreTrainedTokenizerBase, ours: Tokenizer
) -> None:
    """Make an initial model read the ids of the stories, with a note if its own ids differ."""
    if not give_ids(model, theirs, ours):
        return
    note = (
        f"note: the vocabulary of {name} is another than that of the stories ({ours.name}), so it "
        "begins with means of its rows"
    )
    if len(theirs) > MOST_IDS:
        note += f": its own has {len(theirs):,} ids, and the trainer at most {MOST_IDS:,}"
    else:
        note += ": --corpus.tokenizer with its tokenizer.json would keep its own"
    say_once([note])


def weights_fingerprint(pretrained: PreTrainedModel) -> str:
    """Return the SHA-256 of a model's weights, in hexadecimal, to check that a resumed run started
    from the same model."""
    digest = hashlib.sha256()
    for name, weight in sorted(pretrained.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def copy_weights(
    pretrained: PreTrainedModel, decoder: PreTrainedModel, vocabulary: CompactVocabulary
) -> None:
    """Copy the weights of a full model to a new decoder over the vocabulary's compact ids.

    A shared row is copied from any of its ids: their rows are equal (`load.trained_ids`). Learned
    positions are cut to the decoder's context.
    """
    full = pretrained.state_dict()
    with torch.no_grad():
        for name, weight in decoder.named_parameters():
            value: Any = full[name].float()
            if name.endswith(EMBEDDINGS):
                value = weight.index_copy(0, vocabulary.compact_id_of, value)
            elif name.endswith(POSITIONS):
                value = value[: len(weight)]
            weight.copy_(value)


def open_teachers(config: Config, tokenizer: Tokenizer) -> list[PreTrainedModel]:
    """Open the models that model.teachers names. Raises ValueError if a model does not exist, the
    trainer does not support its shape, it has another tokenizer than the stories, or a shorter
    context than the run."""
    teachers = []
    for name in config.model.teacher_names:
        model, own_tokenizer = open_model(name, stores=config.corpus.folder)
        shape = shape_of(model.config, f"model.teachers {name}")
        if not drop_other_rows(model, own_tokenizer, tokenizer):
            raise ValueError(
                f"model.teachers {name} has another vocabulary than the stories "
                f"({tokenizer.name}): name models that were trained with the same corpus.tokenizer"
            )
        if shape.context < config.model.context:
            raise ValueError(
                f"model.teachers {name} looks back on {shape.context:,} tokens and the run on "
                f"{config.model.context:,}: lower model.context, or name another model"
            )
        teachers.append(model)
    return teachers


def over_compact_ids(
    models: Sequence[PreTrainedModel], vocabulary: CompactVocabulary, device: torch.device
) -> list[PreTrainedModel]:
    """Return teachers over the compact ids of a run's vocabulary, ready to predict on `device`.
    Rows of ids that share a compact id must be equal, as in our exports."""
    teachers = []
    for model in models:
        shape = shape_of(model.config, "the teacher")
        decoder: Any = new_decoder(shape, vocabulary, seed=0, base=model.config)
        copy_weights(model, decoder, vocabulary)
        teachers.append(decoder.eval().requires_grad_(False).to(device))
    return teachers
