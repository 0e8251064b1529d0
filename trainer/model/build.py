"""Settings to a stock transformers model.

The class and its configuration are transformers' own, so an export needs no code of ours. A model
that starts from another one (`base`) has that one's configuration: whatever it says of rotary
positions, norms, windows or grouped keys is carried over, also what no setting names.

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
from torch.nn import functional
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from trainer.model.compact_vocabulary import Vocabulary
from trainer.settings.model import Model

EMBEDDINGS = ("embed_tokens.weight", "wte.weight")  # how the blocks' tables of ids are called
POSITIONS = "wpe.weight"  # and that of learned positions
RESIDUAL = {  # the projections that add to the residual stream, of classes that draw them too large
    "gpt_neo": ("out_proj.weight", "c_proj.weight"),
    "llama": ("o_proj.weight", "down_proj.weight"),
    "qwen3": ("o_proj.weight", "down_proj.weight"),
}
OWN_DROPOUT = {  # settings of the classes that have dropout themselves
    "gpt2": ("resid_pdrop", "embd_pdrop", "attn_pdrop"),
    "gpt_neo": ("resid_dropout", "embed_dropout", "attention_dropout"),
}
CLASSES: dict[str, type[PreTrainedModel]] = {
    "gpt2": GPT2LMHeadModel,
    "gpt_neo": GPTNeoForCausalLM,
    "llama": LlamaForCausalLM,
    "qwen3": Qwen3ForCausalLM,
}
INITIAL_STD = 0.02
ROTARY_BASE = 10_000.0


def stock_config(
    settings: Model,
    vocabulary_size: int,
    end_of_text: int | None = None,
    base: PretrainedConfig | None = None,
) -> PretrainedConfig:
    """The transformers configuration of a shape, with a head of `vocabulary_size` ids; that of
    `base` where the model starts from one."""
    shared: dict[str, Any] = {
        "vocab_size": vocabulary_size,
        "bos_token_id": end_of_text,
        "eos_token_id": end_of_text,
    }
    if base is not None:
        return carried_over(base, settings, shared)
    shared |= {"tie_word_embeddings": True, "initializer_range": INITIAL_STD}
    if settings.block == "gpt_neo":
        return gpt_neo_config(settings, shared)
    if settings.block == "gpt2":
        for_converters: dict[str, Any] = {"n_ctx": settings.context}  # to GGUF
        return GPT2Config(
            n_layer=settings.num_layers,
            n_embd=settings.hidden,
            n_head=settings.num_heads,
            n_inner=settings.intermediate,
            n_positions=settings.context,
            **own_dropout(settings),
            **shared,
            **for_converters,
        )
    modern: dict[str, Any] = {
        "num_hidden_layers": settings.num_layers,
        "hidden_size": settings.hidden,
        "num_attention_heads": settings.num_heads,
        "num_key_value_heads": settings.kv_heads or settings.num_heads,
        "head_dim": settings.hidden // settings.num_heads,
        "intermediate_size": settings.intermediate,
        "max_position_embeddings": settings.context,
        "rope_parameters": {"rope_type": "default", "rope_theta": ROTARY_BASE},
        **shared,
    }
    return LlamaConfig(**modern) if settings.block == "llama" else Qwen3Config(**modern)


def gpt_neo_config(settings: Model, shared: dict[str, Any]) -> GPTNeoConfig:
    """GPT-Neo's configuration: every second layer looks back on its window only (Black et al.
    2021)."""
    kinds = [("global", "local")[number % 2] for number in range(settings.num_layers)]
    return GPTNeoConfig(
        num_layers=settings.num_layers,
        hidden_size=settings.hidden,
        num_heads=settings.num_heads,
        intermediate_size=settings.intermediate,
        max_position_embeddings=settings.context,
        attention_types=[[kinds, 1]],
        **own_dropout(settings),
        **shared,
    )


def own_dropout(settings: Model) -> dict[str, Any]:
    """The dropout of a class that has some itself, by its names."""
    return dict.fromkeys(OWN_DROPOUT.get(settings.block, ()), settings.dropout)


def carried_over(
    base: PretrainedConfig, settings: Model, shared: dict[str, Any]
) -> PretrainedConfig:
    """The configuration of a model that starts from another one: that one's, but for its ids, its
    context and its dropout."""
    carried = copy.deepcopy(base)
    carried.update(
        shared
        | {"pad_token_id": None, "use_cache": True, "max_position_embeddings": settings.context}
        | ({"n_ctx": settings.context} if settings.block == "gpt2" else {})
        | (own_dropout(settings) or {"attention_dropout": 0.0})
    )
    return carried


def stock_class(settings: Model) -> type[PreTrainedModel]:
    """The transformers class that the shape belongs to."""
    return CLASSES[settings.block]


def new_decoder(
    settings: Model,
    vocabulary: Vocabulary,
    seed: int,
    base: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """A fresh model over the vocabulary's slots; the same seed gives the same weights."""
    torch.manual_seed(seed)
    decoder = stock_class(settings)(stock_config(settings, vocabulary.num_slots, base=base))
    for name, weight in decoder.named_parameters():
        if name.endswith(RESIDUAL.get(settings.block, ())):
            torch.nn.init.normal_(weight, std=INITIAL_STD / math.sqrt(2 * settings.num_layers))
    if settings.dropout and settings.block not in OWN_DROPOUT:
        add_dropout(decoder, settings.dropout)
    if settings.stochastic_depth:
        add_stochastic_depth(decoder, settings.stochastic_depth)
    return decoder


def add_dropout(decoder: PreTrainedModel, probability: float) -> None:
    """Zero a part of the embedding's and of every block output's channels while training.

    One mask serves all positions of a sequence (Gal & Ghahramani 2016): a draw for every single
    entry took a fifth of a step on CPU, this takes nothing measurable.
    """
    zero_in_training(decoder.get_input_embeddings(), probability)
    for name, module in decoder.named_modules():
        if name.endswith((".self_attn", ".mlp")):
            zero_in_training(module, probability)


def add_stochastic_depth(decoder: PreTrainedModel, probability: float) -> None:
    """Zero a block's attention or its MLP for whole sequences while training, with a probability
    that rises in a line to that of the last block (Huang et al. 2016). They are computed all the
    same, so nothing is saved."""
    for name, module in decoder.named_modules():
        if found := re.search(r"\.(\d+)\.(self_attn|attn|mlp)$", name):
            depth = (int(found[1]) + 1) / decoder.config.num_hidden_layers
            zero_in_training(module, probability * depth, whole=True)


def zero_in_training(module: torch.nn.Module, probability: float, *, whole: bool = False) -> None:
    """Zero some channels of a module's output, or with `whole` all of them, for a sequence at a
    time, and scale the rest so that the mean stays."""

    def drop(module: torch.nn.Module, _: Any, output: Any) -> Any:
        if not module.training:
            return output
        if isinstance(output, tuple):  # attention returns (output, weights)
            return (drop(module, None, output[0]), *output[1:])
        kept = torch.ones_like(output[:, :1, :1] if whole else output[:, :1])
        return output * functional.dropout(kept, probability)

    module.register_forward_hook(drop)


def last_hidden(decoder: PreTrainedModel, ids: torch.Tensor, **arguments: Any) -> torch.Tensor:
    """The states before the head, (batch, length, hidden), of ids (batch, length).

    Rows may be padded on the right, where a causal model cannot look; `arguments` are those of the
    decoder that say what else a token does not see.
    """
    found = decoder.base_model(input_ids=ids, use_cache=False, **arguments)
    hidden: torch.Tensor = found.last_hidden_state
    return hidden


def full_decoder(
    settings: Model,
    vocabulary: Vocabulary,
    weights: dict[str, torch.Tensor],
    base: PretrainedConfig | None = None,
) -> PreTrainedModel:
    """The stock model over all ids that equals the trained one: what is sampled, evaluated and
    exported.

    `weights` are the trained decoder's parameters by name; they are copied. `base` is the
    configuration of the model that it started from, if it did.
    """
    full = stock_class(settings)(
        stock_config(settings, vocabulary.num_ids, vocabulary.end_of_text, base)
    )
    refill(full, vocabulary, weights)
    full.tie_weights()
    full.eval()
    return full


def refill(full: PreTrainedModel, vocabulary: Vocabulary, weights: dict[str, torch.Tensor]) -> None:
    """Copy the trained decoder's parameters into its stock model, wherever that is."""
    table = next(name for name in weights if name.endswith(EMBEDDINGS))
    state = weights | {table: vocabulary.expand(weights[table].detach())}
    full.load_state_dict(state, strict=False)  # the head is tied to the table, and is not stored
