"""Weights of a block for the GPU decoder (cuda_decoder.py), with fused products: query, key and
value are one matrix, gate and up another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch.nn import functional

Get = Callable[[str], torch.Tensor]  # a weight by its name, fp32, on the device


class Norm(NamedTuple):
    """Gain and bias (None for RMSNorm)."""

    gain: torch.Tensor
    bias: torch.Tensor | None = None


class Linear(NamedTuple):
    """A linear layer: x @ weight.T + bias."""

    weight: torch.Tensor
    bias: torch.Tensor | None = None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Return (rows, out) for x (rows, in)."""
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
    """Return the block of a model_type `kind` whose weights' names begin with `name`."""
    if kind == "gpt2":
        return gpt2_layer(get, name)
    layer = llama_layer(get, name, width)
    if kind == "qwen3":
        query, key = (get(f"{name}self_attn.{part}_norm.weight") for part in "qk")
        gains = [query.expand(heads, width), key.expand(kv_heads, width)]
        layer.norm_query_key = interleave(torch.cat(gains).reshape(-1), width).view(-1, width)
    return layer


def gpt2_layer(get: Get, name: str) -> Layer:
    """Return a GPT-2 block, which has biases; its matrices are stored transposed."""

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
    """Return a Llama block: no biases, a gated MLP, and rotary positions, for which the rows of
    query and key are interleaved."""
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
    """Return each head's rows in the order 0, n/2, 1, n/2 + 1, ...: rotary pairs side by side."""
    halves = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
    return halves.transpose(1, 2).reshape(rows.shape)
