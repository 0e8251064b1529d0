"""The block families that our own loop decodes, a row each: what their weights are called, and
which variants of the shape are left to transformers.

Names of the configuration are those that all families share (transformers maps GPT-2's `n_layer`
to `num_hidden_layers`, and so on).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from playground.model.linear import PackedLinear

LANES = 64  # numbers that a vectorised loop takes at once, at most
Norm = tuple[torch.Tensor, "torch.Tensor | None"]  # gain, and bias or None
Get = Callable[[str], torch.Tensor]  # a weight by its name, fp32


@dataclass
class Layer:
    """The weights of one block."""

    norm_attention: Norm
    qkv: PackedLinear
    norm_query_key: torch.Tensor | None  # (2, heads, head width): Qwen3's two gains
    out: PackedLinear
    norm_mlp: Norm
    up: PackedLinear
    down: PackedLinear


def whole_registers(matrix: torch.Tensor, dim: int) -> torch.Tensor:
    """A matrix or bias with zeros behind its MLP's width, up to whole vector registers: torch's
    SiLU and GELU round the rest of a row otherwise than its registers (batched_decoder.py)."""
    missing = -matrix.shape[dim] % LANES
    return functional.pad(matrix, (0, 0) * (matrix.dim() - 1 - dim) + (0, missing))


def gpt2_layer(get: Get, name: str, heads: int, width: int) -> Layer:
    """Biases everywhere; matrices are stored the other way round."""

    def product(part: str) -> PackedLinear:
        return PackedLinear(get(f"{name}{part}.weight").T, get(f"{name}{part}.bias"), torch.float32)

    up, bias = get(f"{name}mlp.c_fc.weight").T, get(f"{name}mlp.c_fc.bias")
    down = get(f"{name}mlp.c_proj.weight").T
    return Layer(
        (get(f"{name}ln_1.weight"), get(f"{name}ln_1.bias")),
        product("attn.c_attn"),
        None,
        product("attn.c_proj"),
        (get(f"{name}ln_2.weight"), get(f"{name}ln_2.bias")),
        PackedLinear(whole_registers(up, 0), whole_registers(bias, 0), torch.float32),
        PackedLinear(whole_registers(down, 1), get(f"{name}mlp.c_proj.bias"), torch.float32),
    )


def llama_layer(get: Get, name: str, heads: int, width: int) -> Layer:
    """No biases; rotary positions, for which the rows of query and key are interleaved; gated
    MLP."""

    def interleave(rows: torch.Tensor) -> torch.Tensor:
        """A head's rows 0, n/2, 1, n/2 + 1, ...: its rotating pairs side by side."""
        halves = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
        return halves.transpose(1, 2).reshape(rows.shape)

    def product(*parts: torch.Tensor) -> PackedLinear:
        return PackedLinear(torch.cat(parts), None, torch.float32)

    gate, up = (whole_registers(get(f"{name}mlp.{part}_proj.weight"), 0) for part in ("gate", "up"))
    query, key, value = (get(f"{name}self_attn.{part}_proj.weight") for part in "qkv")
    return Layer(
        (get(f"{name}input_layernorm.weight"), None),
        product(interleave(query), interleave(key), value),
        None,
        product(get(f"{name}self_attn.o_proj.weight")),
        (get(f"{name}post_attention_layernorm.weight"), None),
        product(gate, up),
        product(whole_registers(get(f"{name}mlp.down_proj.weight"), 1)),
    )


def qwen3_layer(get: Get, name: str, heads: int, width: int) -> Layer:
    """Llama's, with a norm of each head's query and key."""
    layer = llama_layer(get, name, heads, width)
    gains = [get(f"{name}self_attn.{part}_norm.weight") for part in "qk"]  # (head width,) each
    pairs = [gain.view(2, width // 2).T.reshape(-1) for gain in gains]  # interleaved like the rows
    layer.norm_query_key = torch.stack([gain.expand(heads, -1) for gain in pairs])
    return layer


@dataclass(frozen=True)
class Family:
    """A block family.

    Attributes:
        prefix: of its weights' names in a model with a head.
        table: name of the embedding.
        layers: name before a block's number.
        read_layer: a block's weights from (get, name, heads, head width).
        norm_end: name of the last norm.
        positions: name of the positions' embedding; None where they are rotary.
        epsilon: what the configuration calls the norms' addend.
        gated: whether the MLP is SwiGLU; else it is a GELU.
        plain: values of the configuration that our loop does.
    """

    prefix: str
    table: str
    layers: str
    read_layer: Callable[[Get, str, int, int], Layer]
    norm_end: str
    positions: str | None
    epsilon: str
    gated: bool
    plain: Mapping[str, Any]


LLAMA = {"hidden_act": "silu", "attention_bias": False, "mlp_bias": False}
FAMILIES = {
    "gpt2": Family(
        "transformer.", "wte", "h", gpt2_layer, "ln_f", "wpe", "layer_norm_epsilon", False,
        {"activation_function": "gelu_new", "scale_attn_weights": True,
         "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False},
    ),
    "llama": Family(
        "model.", "embed_tokens", "layers", llama_layer, "norm", None, "rms_norm_eps", True, LLAMA,
    ),
    "qwen3": Family(
        "model.", "embed_tokens", "layers", qwen3_layer, "norm", None, "rms_norm_eps", True,
        LLAMA | {"use_sliding_window": False},
    ),
}  # fmt: skip


def family_of(config: Any) -> Family | None:
    """The family whose blocks our own loop computes; None for every other shape."""
    family = FAMILIES.get(config.model_type)
    if family is None or getattr(config, "quantization_config", None):
        return None
    heads = config.num_attention_heads
    rope = getattr(config, "rope_parameters", None) or {}
    is_plain = (
        getattr(config, "num_key_value_heads", heads) == heads
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
