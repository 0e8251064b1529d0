"""The block families that we decode ourselves, a row each: what their weights are called, and which
variants of the shape are left to transformers.

Names of the configuration are those that all families share (transformers maps GPT-2's `n_layer`
to `num_hidden_layers`, and so on).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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
        plain: values of the configuration that our decoders compute.
    """

    prefix: str
    table: str
    layers: str
    norm_end: str
    positions: str | None
    epsilon: str
    gated: bool
    plain: Mapping[str, Any]


LLAMA = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
FAMILIES = {
    "gpt2": Family(
        "transformer.", "wte", "h", "ln_f", "wpe", "layer_norm_epsilon", False,
        {"activation_function": "gelu_new", "scale_attn_weights": True,
         "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    ),
    "llama": Family(
        "model.", "embed_tokens", "layers", "norm", None, "rms_norm_eps", True, LLAMA,
    ),
    "qwen3": Family(
        "model.", "embed_tokens", "layers", "norm", None, "rms_norm_eps", True,
        LLAMA | {"use_sliding_window": False},
    ),
}  # fmt: skip


def family_of(config: Any) -> Family | None:
    """The family whose blocks our own decoders compute; None for every other shape."""
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
        and set(getattr(config, "layer_types", None) or ()) <= {"full_attention"}
        and all(getattr(config, name, value) == value for name, value in family.plain.items())
    )
    return family if is_plain else None


def head_width(config: Any) -> int:
    """Numbers of a head's query."""
    return int(
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    )
