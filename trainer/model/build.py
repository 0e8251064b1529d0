"""Build a stock transformers model from the settings.

Class and configuration are transformers' own, so an export needs no code of ours. A model that
starts from another (`base`) has the configuration of `base`: its rotary positions, norms, windows
and grouped keys, also values without a setting.

Two things are added while training: residual projections start smaller by 1/sqrt(2 x layers), as
GPT-2 does (Radford et al. 2019, section 2.3), and noise: dropout on the embedding and on each
block's two outputs, which the Llama and Qwen3 classes leave out, and stochastic depth.
"""

from __future__ import annotations

import copy
import math
import re
from typing import Any

import torch
import transformers
from torch.nn import functional
from transformers import PretrainedConfig, PreTrainedModel

from trainer.model.compact_vocabulary import CompactVocabulary
from trainer.settings.blocks import BLOCKS, EMBEDDINGS
from trainer.settings.model import Model

POSITIONS = "wpe.weight"  # the name of learned positions
INITIAL_STD = 0.02


def stock_config(
    settings: Model,
    vocabulary_size: int,
    end_of_text: int | None = None,
    base: PretrainedConfig | None = None,
) -> PretrainedConfig:
    """Return the transformers configuration of a shape, with a head of `vocabulary_size` ids; that
    of `base` if the model starts from one."""
    shared: dict[str, Any] = {
        "vocab_size": vocabulary_size,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
        "pad_token_id": None,
    }
    if base is not None:
        return carried_over(base, settings, shared)
    block = BLOCKS[settings.block]
    shape = {key: getattr(settings, setting) for setting, key in block.sizes.items()}
    if block.is_grouped:
        shape[block.sizes["kv_heads"]] = settings.kv_heads or settings.num_heads
    drawn = {"tie_word_embeddings": True, "initializer_range": INITIAL_STD}
    config: PretrainedConfig = getattr(transformers, block.config)(
        **shape, **block.more(settings), **own_dropout(settings), **shared, **drawn
    )
    return config


def own_dropout(settings: Model) -> dict[str, Any]:
    """Return the dropout settings of a class with its own dropout, by the names of the class."""
    return dict.fromkeys(BLOCKS[settings.block].dropout, settings.dropout)


def carried_over(
    base: PretrainedConfig, settings: Model, shared: dict[str, Any]
) -> PretrainedConfig:
    """Return the configuration of a model that starts from `base`: that of `base` with the new ids,
    context and dropout."""
    carried = copy.deepcopy(base)
    carried.update(
        shared
        | {"use_cache": True, "max_position_embeddings": settings.context}
        | ({"n_ctx": settings.context} if settings.block == "gpt2" else {})
        | (own_dropout(settings) or {"attention_dropout": 0.0})
    )
    return carried


def stock_class(settings: Model) -> type[PreTrainedModel]:
    """Return the transformers class that the shape belongs to."""
    stock: type[PreTrainedModel] = getattr(transformers, BLOCKS[settings.block].model)
    return stock


def new_decoder(
    settings: Model,
    vocabulary: CompactVocabulary,
    seed: int,
    base: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """Return a fresh model over the vocabulary's compact ids; the same seed gives the same
    weights."""
    block = BLOCKS[settings.block]
    torch.manual_seed(seed)
    decoder = stock_class(settings)(stock_config(settings, vocabulary.num_compact_ids, base=base))
    for name, weight in decoder.named_parameters():
        if name.endswith(block.residual):
            torch.nn.init.normal_(weight, std=INITIAL_STD / math.sqrt(2 * settings.num_layers))
    if settings.dropout and not block.dropout:
        add_dropout(decoder, settings.dropout)
    if settings.stochastic_depth:
        add_stochastic_depth(decoder, settings.stochastic_depth)
    return decoder


def add_dropout(decoder: PreTrainedModel, probability: float) -> None:
    """Zero a part of the embedding's and of every block output's channels while training.

    One mask serves all positions of a sequence (Gal & Ghahramani 2016): separate draws for
    every entry took a fifth of a step on CPU, these take no measurable time.
    """
    zero_in_training(decoder.get_input_embeddings(), probability)
    for name, module in decoder.named_modules():
        if name.endswith((".self_attn", ".mlp")):
            zero_in_training(module, probability)


def add_stochastic_depth(decoder: PreTrainedModel, probability: float) -> None:
    """Zero a block's attention or its MLP for whole sequences while training, with a
    probability that rises linearly up to the last block (Huang et al. 2016). Zeroed outputs are
    computed all the same, so no time is saved."""
    for name, module in decoder.named_modules():
        if match := re.search(r"\.(\d+)\.(self_attn|attn|mlp)$", name):
            depth = (int(match[1]) + 1) / decoder.config.num_hidden_layers
            zero_in_training(module, probability * depth, whole=True)


def zero_in_training(module: torch.nn.Module, probability: float, *, whole: bool = False) -> None:
    """Zero some channels of a module's output, or with `whole` all of them, for a sequence at a
    time, and scale the rest so that the mean stays."""

    def drop(module: torch.nn.Module, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):  # attention returns (output, weights)
            return (drop(module, None, output[0]), *output[1:])
        ones = torch.ones_like(output[:, :1, :1] if whole else output[:, :1])
        return output * functional.dropout(ones, probability)

    module.register_forward_hook(drop)


def last_hidden(decoder: PreTrainedModel, ids: torch.Tensor, **arguments: Any) -> torch.Tensor:
    """Return the states before the head, (batch, length, hidden), of ids (batch, length).

    Rows may be padded on the right, which a causal model does not see; `arguments`: more for the
    decoder, such as an attention mask.
    """
    output = decoder.base_model(input_ids=ids, use_cache=False, **arguments)
    hidden: torch.Tensor = output.last_hidden_state
    return hidden


def full_decoder(
    settings: Model,
    vocabulary: CompactVocabulary,
    weights: dict[str, torch.Tensor],
    base: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """Return the stock model over all ids that equals the trained decoder, for sampling, evaluation
    and export.

    `weights` are the trained decoder's parameters by name; they are copied. `base` is the
    configuration of the model that the run started from, if any.
    """
    full = stock_class(settings)(
        stock_config(settings, vocabulary.num_ids, vocabulary.end_of_text, base)
    )
    refill(full, vocabulary, weights)
    full.tie_weights()
    full.eval()
    return full


def refill(
    full: PreTrainedModel, vocabulary: CompactVocabulary, weights: dict[str, torch.Tensor]
) -> None:
    """Copy the trained decoder's parameters into its stock model, on any device."""
    table = next(name for name in weights if name.endswith(EMBEDDINGS))
    state = weights | {table: vocabulary.expand(weights[table].detach())}
    full.load_state_dict(state, strict=False)  # the head is tied to the table and not stored
