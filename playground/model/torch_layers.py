"""The weights of our own blocks as PyTorch computes them: one product for query, key and value,
another for gate and up, and the rows of query and key interleaved for rotary positions in complex
form (batched_decoder.py). Names are those of families.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
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
    MLP. Grouped keys and values are repeated for each query head that shares them."""

    def interleave(rows: torch.Tensor) -> torch.Tensor:
        """A head's rows 0, n/2, 1, n/2 + 1, ...: its rotating pairs side by side."""
        halves = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
        return halves.transpose(1, 2).reshape(rows.shape)

    def repeat(rows: torch.Tensor) -> torch.Tensor:
        """(heads * width, hidden) of a key's or value's rows (key heads * width, hidden)."""
        shared = heads * width // len(rows)
        return rows.view(-1, width, rows.shape[1]).repeat_interleave(shared, 0).flatten(0, 1)

    def product(*parts: torch.Tensor) -> PackedLinear:
        return PackedLinear(torch.cat(parts), None, torch.float32)

    gate, up = (whole_registers(get(f"{name}mlp.{part}_proj.weight"), 0) for part in ("gate", "up"))
    query, key, value = (get(f"{name}self_attn.{part}_proj.weight") for part in "qkv")
    return Layer(
        (get(f"{name}input_layernorm.weight"), None),
        product(interleave(query), interleave(repeat(key)), repeat(value)),
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


READ_LAYER: dict[str, Callable[[Get, str, int, int], Layer]] = {
    "gpt2": gpt2_layer,
    "llama": llama_layer,
    "qwen3": qwen3_layer,
}  # a block's weights from (get, name, heads, head width)


def send(array: np.ndarray, device: torch.device) -> torch.Tensor:
    """An array on the device. From pinned memory a copy to a GPU does not wait for it."""
    tensor = torch.from_numpy(array)
    return tensor.pin_memory().to(device, non_blocking=True) if device.type == "cuda" else tensor
