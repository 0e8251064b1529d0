"""The block families that the core computes, a row each: what their weights are called, what their
configuration has where config.json leaves a value out, and which variants are left to transformers.

Names of the configuration are those that all families share, as transformers maps them: GPT-2's
`n_layer` is `num_hidden_layers`, and so on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Family:
    """A block family.

    Attributes:
        prefix: of its weights' names in a model with a head.
        table: name of the embedding.
        layers: name before a block's number.
        norm_end: name of the last norm.
        positions: name of the positions' embedding; None where they are rotary.
        epsilon: what the configuration calls the norms' addend.
        gated: whether the MLP is SwiGLU; else it is a GELU.
        plain: values of the configuration that the core computes.
        defaults: values of the configuration's class in transformers. A value of config.json has
            the type of its default; beside None stands any type.
        renamed: the names in config.json of values that all families share.
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
    """Return the family whose blocks the core computes; None for every other shape."""
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
        and not any(isinstance(value, dict) for value in rope.values())  # other ones in some layers
        and set(getattr(config, "layer_types", None) or ()) <= {"full_attention"}
        and all(getattr(config, name, value) == value for name, value in family.plain.items())
    )
    return family if is_plain else None


def head_width(config: Any) -> int:
    """Numbers of a head's query."""
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
