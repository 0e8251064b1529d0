"""Start from a model that exists: `--model.init_from`.

The shape is the model's, and so are the ids that are trained, besides those of the new stories:
what it could say before it can say afterwards. The learning rates are those of fine-tuning unless
they are given. Everything else is a run like any other.
"""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import torch
from transformers import PretrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

from trainer.compact_vocabulary import Vocabulary
from trainer.config import Config, Model
from trainer.evaluate.load import open_model
from trainer.model import EMBEDDINGS, stock_config

# A quarter of the usual rates, and small updates: there are few stories as a rule (docs/LOG.md).
FINE_TUNING: dict[str, Any] = {
    "optim.lr": 5e-4,
    "optim.muon_lr": 1e-3,
    "optim.global_batch": 8,
}
SHAPE = ("block", "num_layers", "hidden", "num_heads", "intermediate", "context")
# Attributes of a configuration that the trainer does not vary.
FIXED = (
    "activation_function",
    "attention_bias",
    "head_dim",
    "hidden_act",
    "mlp_bias",
    "num_key_value_heads",
    "rms_norm_eps",
    "rope_parameters",
    "scale_attn_weights",
    "sliding_window",
    "tie_word_embeddings",
)


def open_pretrained(
    config: Config,
) -> tuple[Config, tuple[PreTrainedModel, PreTrainedTokenizerBase] | None]:
    """The settings with the shape of the model to start from, and that model with its tokenizer;
    None without one.

    Raises:
        ValueError: there is no such model, the trainer cannot make its shape, or a setting asks for
            another.
    """
    name = config.model.init_from
    if not name:
        return config, None
    model, tokenizer = open_model(name, stores=config.corpus.folder)
    shape = shape_of(model.config, f"model.init_from {name}")
    for key in SHAPE:
        given, found = getattr(config.model, key), getattr(shape, key)
        if f"model.{key}" in config.given and given != found:
            raise ValueError(
                f"model.{key} is {given} and {found} in {name}: leave it out, the shape is that of "
                "model.init_from"
            )
    changes = {key: getattr(shape, key) for key in SHAPE}
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
    """The shape of a stock model as the trainer's settings; `name` is what it is called.

    Raises:
        ValueError: it is one that the trainer cannot make.
    """
    if stock.model_type not in ("gpt2", "llama", "qwen3"):
        raise ValueError(
            f"{name} is a {stock.model_type}: the trainer knows gpt2, llama and qwen3 models"
        )
    shape = Model(
        block=stock.model_type,
        num_layers=stock.num_hidden_layers,
        hidden=stock.hidden_size,
        num_heads=stock.num_attention_heads,
        intermediate=getattr(stock, "intermediate_size", None)
        or getattr(stock, "n_inner", None)
        or 4 * stock.hidden_size,
        context=stock.max_position_embeddings,
    )
    wanted = stock_config(shape, stock.vocab_size)
    for key in FIXED:
        found, ours = getattr(stock, key, None), getattr(wanted, key, None)
        if found != ours:
            raise ValueError(
                f"{name} has {key} {found}, and the trainer makes models with {ours} only"
            )
    return shape


def fingerprint_of(pretrained: PreTrainedModel) -> str:
    """SHA-256 of its weights, in hexadecimal: a resumed run must have started from the same."""
    digest = hashlib.sha256()
    for name, weight in sorted(pretrained.state_dict().items()):
        digest.update(name.encode())
        digest.update(weight.float().cpu().numpy().tobytes())
    return digest.hexdigest()


def copy_weights(
    pretrained: PreTrainedModel, decoder: PreTrainedModel, vocabulary: Vocabulary
) -> None:
    """Give a fresh decoder over the vocabulary's compact ids the weights of a full one.

    A row that many ids share is that of any of them: they are equal (`load.trained_ids`).
    """
    full = pretrained.state_dict()
    with torch.no_grad():
        for name, weight in decoder.named_parameters():
            value: Any = full[name].float()
            if name.endswith(EMBEDDINGS):
                value = weight.index_copy(0, vocabulary.slot_of_id, value)
            weight.copy_(value)
