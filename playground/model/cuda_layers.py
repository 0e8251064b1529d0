"""A block's weights in the form of the GPU decoder's products: query, key and value are one, gate
and up another (cuda_decoder.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

Get = Callable[[str], torch.Tensor]  # a weight by its name, fp32, on the device


class Norm(NamedTuple):
    """Gain, and bias or None."""

    gain: torch.Tensor
    bias: torch.Tensor | None = None


class Linear(NamedTuple):
    """x @ weight.T + bias."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """(rows, out) of x (rows, in)."""
        return functional.linear(x, self.weight, self.bias)


@dataclass
class Layer:
    """The weights of one block."""

    norm_attention: Norm
    qkv: Linear
    norm_query_key: torch.Tensor | None  # (heads + key heads, head width): Qwen3's gains
    out: Linear
    norm_mlp: Norm
    up: Linear
    down: Linear


def read_layer(get: Get, kind: str, name: str, heads: int, kv_heads: int, width: int) -> Layer:
    """Return the block whose weights' names begin with `name`, of a model_type `kind`."""
    if kind == "gpt2":
        return gpt2_layer(get, name)
    layer = llama_layer(get, name, width)
    if kind == "qwen3":
        query, key = (get(f"{name}self_attn.{part}_norm.weight") for part in "qk")
        gains = [query.expand(heads, width), key.expand(kv_heads, width)]
        layer.norm_query_key = interleave(torch.cat(gains).reshape(-1), width).view(-1, width)
    return layer


def gpt2_layer(get: Get, name: str) -> Layer:
    """Biases everywhere; matrices are stored the other way round."""

    def product(part: str) -> Linear:
        return Linear(get(f"{name}{part}.weight").T.contiguous(), get(f"{name}{part}.bias"))

    return Layer(
        Norm(get(f"{name}ln_1.weight"), get(f"{name}ln_1.bias")),
        product("attn.c_attn"),
        None,
        product("attn.c_proj"),
        Norm(get(f"{name}ln_2.weight"), get(f"{name}ln_2.bias")),
        product("mlp.c_fc"),
        product("mlp.c_proj"),
    )


def llama_layer(get: Get, name: str, width: int) -> Layer:
    """No biases; rotary positions, for which the rows of query and key are interleaved; gated
    MLP."""
    query, key, value = (get(f"{name}self_attn.{part}_proj.weight") for part in "qkv")
    gate, up = (get(f"{name}mlp.{part}_proj.weight") for part in ("gate", "up"))
    return Layer(
        Norm(get(f"{name}input_layernorm.weight")),
        Linear(torch.cat([interleave(query, width), interleave(key, width), value])),
        None,
        Linear(get(f"{name}self_attn.o_proj.weight")),
        Norm(get(f"{name}post_attention_layernorm.weight")),
        Linear(torch.cat([gate, up])),
        Linear(get(f"{name}mlp.down_proj.weight")),
    )


def interleave(rows: torch.Tensor, width: int) -> torch.Tensor:
    """Return each head's rows 0, n/2, 1, n/2 + 1, ...: its rotating pairs side by side."""
    halves = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
    return halves.transpose(1, 2).reshape(rows.shape)
