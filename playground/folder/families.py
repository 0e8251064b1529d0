"""The model families that the core computes, one row each: names of weights, defaults of the
configuration, and the variants that transformers computes instead.

The configuration has the names that transformers maps all families to: GPT-2's `n_layer` is
`num_hidden_layers`, for example.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A model family.

    Attributes:
        prefix: of its weights' names in a model with a head.
        table: name of the token embedding.
        layers: name before a block's number.
        norm_end: name of the final norm.
        positions: name of the position embedding; None for rotary positions.
        epsilon: the configuration's name of the norms' epsilon.
        gated: whether the MLP is SwiGLU; otherwise GELU.
        plain: values of the configuration that the core supports.
        defaults: of the configuration's class in transformers. A value of config.json must have the
            type of its default; a default of None allows every type.
        renamed: shared names by the family's own names in config.json.
    """

    prefix: str
    table: str
    layers: str
    norm_end: str
    positions: str | None
    epsilon: str
    gated: bool
    plain: Mapping[str, Any]
    defaults: Mapping[str, Any]
    renamed: Mapping[str, str] = field(default_factory=dict)


LLAMA = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
LLAMA_DEFAULTS = LLAMA | {
    "vocab_size": 32_000,
    "hidden_size": 4_096,
    "intermediate_size": 11_008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "head_dim": None,
    "max_position_embeddings": 2_048,
    "rms_norm_eps": 1e-6,
    "rope_parameters": None,
    "tie_word_embeddings": False,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
FAMILIES = {
    "gpt2": Family(
        "transformer.", "wte", "h", "ln_f", "wpe", "layer_norm_epsilon", False,
        {"activation_function": "gelu_new", "scale_attn_weights": True,
         "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
        {
            "vocab_size": 50_257,
            "hidden_size": 768,
            "n_inner": None,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "max_position_embeddings": 1_024,
            "activation_function": "gelu_new",
            "layer_norm_epsilon": 1e-5,
            "scale_attn_weights": True,
            "scale_attn_by_inverse_layer_idx": False,
            "add_cross_attention": False,
            "tie_word_embeddings": True,
            "bos_token_id": 50_256,
            "eos_token_id": 50_256,
        },
        {"n_embd": "hidden_size", "n_layer": "num_hidden_layers",
         "n_head": "num_attention_heads", "n_positions": "max_position_embeddings"},
    ),
    "llama": Family(
        "model.", "embed_tokens", "layers", "norm", None, "rms_norm_eps", True,
        LLAMA, LLAMA_DEFAULTS,
    ),
    "qwen3": Family(
        "model.", "embed_tokens", "layers", "norm", None, "rms_norm_eps", True,
        LLAMA | {"use_sliding_window": False},
        LLAMA_DEFAULTS | {
            "vocab_size": 151_936,
            "intermediate_size": 22_016,
            "num_key_value_heads": 32,
            "head_dim": 128,
            "max_position_embeddings": 32_768,
            "use_sliding_window": False,
            "layer_types": None,
            "bos_token_id": None,
            "eos_token_id": None,
        },
    ),
}  # fmt: skip


def family_of(config: Any) -> Family | None:
    """Return the family of a model that the core computes; None for all other models."""
    family = FAMILIES.get(config.model_type)
    if family is None or getattr(config, "quantization_config", None):
        return None
    heads = config.num_attention_heads
    rope = getattr(config, "rope_parameters", None) or {}
    is_plain = (
        heads % (getattr(config, "num_key_value_heads", None) or heads) == 0
        and head_width(config) % 2 == 0
        and rope.get("rope_type", "default") == "default"
        and rope.get("partial_rotary_factor", 1) == 1
        and not any(isinstance(value, dict) for value in rope.values())  # differs between layers
        and set(getattr(config, "layer_types", None) or ()) <= {"full_attention"}
        and all(getattr(config, name, value) == value for name, value in family.plain.items())
    )
    return family if is_plain else None


def head_width(config: Any) -> int:
    """Return the width of an attention head."""
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
