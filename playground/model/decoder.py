"""The forward pass of the shapes that the trainer exports: GPT-2, Llama, Qwen3.

Written for a step that feeds one token of many stories at once, and chunks of new prompts beside
them. Decisions, all measured on two cores without a GPU (docs/speed.md):

- Query, key and value are one product, gate and up another (linear.py).
- A row's result does not depend on the rows beside it, so that a story is the same to the bit alone
  and among others: products keep a row's order of summation (linear.py), each row attends by
  itself over keys in whole vector registers, and MKL is told to ignore how memory lies
  (`__init__.py`).
- The body runs in fp32; the head is in head.py.
- The cache holds each story's keys and values in a slot of its own; rotary positions are applied
  before a key is stored, in complex form, for which the weights' rows are interleaved at loading.
- On a GPU a step has a fixed number of rows and is recorded (cuda_graph.py), with attention of a
  few sizes: products cost one row what they cost all of them, attention does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from playground.model.attention import ROUND_KEYS, Chunk, Group, Rows, groups_of, rows_of
from playground.model.cuda_graph import FixedBatch
from playground.model.device import send
from playground.model.folder import ModelFolder
from playground.model.head import Head
from playground.model.linear import PackedLinear

FEWEST_ROWS, FEWEST_KEYS = 8, 128  # of a recorded step's attention; the other sizes are doubles


@dataclass
class Layer:
    """The weights of one block; norms are (weight, bias or None)."""

    norm_attention: tuple[torch.Tensor, torch.Tensor | None]
    qkv: PackedLinear
    norm_query_key: torch.Tensor | None  # (2, heads, head width): Qwen3's two gains
    out: PackedLinear
    norm_mlp: tuple[torch.Tensor, torch.Tensor | None]
    up: PackedLinear
    down: PackedLinear


class Decoder:
    """A decoder with a cache of `slots` stories.

    Attributes:
        context: tokens it can look back on.
        cache: (layers, slots, 2, heads, context, head width), keys and values.
        table: (vocabulary, hidden) fp32, the tied embedding.
        padding: the states of a step's rows, if a step has a fixed number of them; else None.
    """

    def __init__(self, storyteller: ModelFolder, slots: int, rows: int | None = None) -> None:
        """`rows` fixes the number of rows of every step; see cuda_graph.py."""
        config, device = storyteller.config, storyteller.device
        self.device = device
        self.is_gpt2 = config["model_type"] == "gpt2"
        names = {name.removeprefix("transformer.").removeprefix("model."): tensor
                 for name, tensor in storyteller.weights.items()}  # fmt: skip
        try:
            self._read(config, names)
        except KeyError as error:
            raise ValueError(
                f"the weights in {storyteller.folder} lack {error}: export the model again."
            ) from None
        keys = -(-self.context // ROUND_KEYS) * ROUND_KEYS
        spare = 0 if rows is None else 1  # a slot for the padding rows of a step
        shape = (self.num_layers, slots + spare, 2, self.heads, keys, self.width)
        self.cache = torch.zeros(shape, device=device)
        self.padding: torch.Tensor | None = None
        if rows is not None:
            padding_rows = torch.tensor([[0, slots, 0]], device=device).repeat(rows, 1)
            self.padding = torch.zeros(rows, self.table.shape[1], device=device)
            pool = torch.cuda.graph_pool_handle() if device.type == "cuda" else None
            self._steps = {
                (num_rows, num_keys): FixedBatch(
                    partial(self._fixed, num_rows, num_keys), padding_rows, pool
                )
                for num_rows in sizes(FEWEST_ROWS, rows)
                for num_keys in sizes(FEWEST_KEYS, keys)
            }

    def _read(self, config: dict[str, Any], names: dict[str, torch.Tensor]) -> None:
        """Bring the weights into the form of the products."""

        def get(name: str) -> torch.Tensor:
            return names[name].to(self.device, torch.float32)

        gpt2 = self.is_gpt2
        self.num_layers = config["n_layer" if gpt2 else "num_hidden_layers"]
        self.heads = config["n_head" if gpt2 else "num_attention_heads"]
        self.context = config["n_positions" if gpt2 else "max_position_embeddings"]
        self.table = get("wte.weight" if gpt2 else "embed_tokens.weight")
        hidden = self.table.shape[1]
        self.width = hidden // self.heads if gpt2 else config.get("head_dim", hidden // self.heads)
        self.epsilon = config["layer_norm_epsilon" if gpt2 else "rms_norm_eps"]
        self.layers = [
            self._gpt2_layer(get, f"h.{number}.") if gpt2
            else self._modern_layer(get, f"layers.{number}.")
            for number in range(self.num_layers)
        ]  # fmt: skip
        if gpt2:
            self.positions = get("wpe.weight")  # (context, hidden)
            self.norm_end: tuple[torch.Tensor, torch.Tensor | None] = (
                get("ln_f.weight"), get("ln_f.bias"),
            )  # fmt: skip
        else:
            rope = config.get("rope_parameters") or {}
            base = float(rope.get("rope_theta") or config.get("rope_theta") or 10_000.0)
            angles = torch.arange(self.context)[:, None] * base ** (
                -torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
            )
            self.turns = torch.polar(torch.ones_like(angles), angles)[:, None].to(self.device)
            self.norm_end = (get("norm.weight"), None)
        head = names.get("lm_head.weight")
        self.head = Head(self.table if head is None else head.to(self.device, torch.float32))

    def _gpt2_layer(self, get: Any, name: str) -> Layer:
        def product(part: str) -> PackedLinear:  # GPT-2 stores its matrices the other way round
            return PackedLinear(
                get(f"{name}{part}.weight").T, get(f"{name}{part}.bias"), torch.float32
            )

        return Layer(
            (get(f"{name}ln_1.weight"), get(f"{name}ln_1.bias")),
            product("attn.c_attn"),
            None,
            product("attn.c_proj"),
            (get(f"{name}ln_2.weight"), get(f"{name}ln_2.bias")),
            product("mlp.c_fc"),
            product("mlp.c_proj"),
        )

    def _modern_layer(self, get: Any, name: str) -> Layer:
        def interleave(rows: torch.Tensor) -> torch.Tensor:
            """A head's rows 0, n/2, 1, n/2 + 1, ...: its rotating pairs side by side."""
            halves = rows.reshape(-1, 2, self.width // 2, *rows.shape[1:])
            return halves.transpose(1, 2).reshape(rows.shape)

        attention = f"{name}self_attn."
        qkv = torch.cat(
            [
                interleave(get(f"{attention}q_proj.weight")),
                interleave(get(f"{attention}k_proj.weight")),
                get(f"{attention}v_proj.weight"),
            ]
        )
        norm = None
        try:
            gains = [get(f"{attention}{part}_norm.weight") for part in "qk"]  # (head width,) each
            norm = torch.stack([interleave(gain).expand(self.heads, -1) for gain in gains])
        except KeyError:  # Llama has none
            pass
        return Layer(
            (get(f"{name}input_layernorm.weight"), None),
            PackedLinear(qkv, None, torch.float32),
            norm,
            PackedLinear(get(f"{attention}o_proj.weight"), None, torch.float32),
            (get(f"{name}post_attention_layernorm.weight"), None),
            PackedLinear(
                torch.cat([get(f"{name}mlp.gate_proj.weight"), get(f"{name}mlp.up_proj.weight")]),
                None,
                torch.float32,
            ),
            PackedLinear(get(f"{name}mlp.down_proj.weight"), None, torch.float32),
        )

    def feed(self, chunks: list[Chunk]) -> torch.Tensor:
        """Feed some stories their next tokens and put keys and values into the cache.

        Args:
            chunks: at most one a slot.

        Returns:
            (tokens of all chunks, hidden): the states after the last norm, in the chunks' order.
        """
        rows = np.array(rows_of(chunks))
        where = send(rows, self.device)
        if self.padding is not None:
            most = len(self.padding)
            parts = [slice(start, start + most) for start in range(0, len(rows), most)]
            return torch.cat([self._recorded(rows[part], where[part]) for part in parts])
        with torch.inference_mode():
            return self._forward(where, groups_of(chunks, self.cache))

    def _recorded(self, rows: np.ndarray, where: torch.Tensor) -> torch.Tensor:
        """The states after (rows, 3) of id, slot and position, known to the host and lying on the
        device: the smallest recorded step that holds them."""
        most_keys = int(rows[:, 2].max()) + 1
        step = next(
            graph
            for (num_rows, num_keys), graph in self._steps.items()
            if num_rows >= len(rows) and num_keys >= most_keys
        )
        return step(where)[0]

    def _fixed(self, num_rows: int, num_keys: int, where: torch.Tensor) -> tuple[torch.Tensor]:
        """The states after (rows, 3) of id, slot and position, which decide no shape; only the
        first `num_rows` attend, to the first `num_keys` positions."""
        attending = Rows(where[:, 1], where[:, 2], self.cache, num_rows, num_keys)
        return (self._forward(where, [attending]),)

    def _forward(self, where: torch.Tensor, groups: Sequence[Group | Rows]) -> torch.Tensor:
        """(rows, hidden) of where (rows, 3): id, slot and position of each."""
        ids, slots, positions = where.unbind(1)
        x = self.table[ids]  # (rows, hidden)
        if self.is_gpt2:
            x = x + self.positions[positions]
        turns = None if self.is_gpt2 else self.turns[positions]
        for number, layer in enumerate(self.layers):
            qkv = self._qkv(layer, x, turns)
            self.cache[number][slots, :, :, positions] = qkv[:, 1:]
            found = [group.attend(number, qkv[:, 0]) for group in groups]
            x = x + layer.out(found[0] if len(found) == 1 else torch.cat(found))
            h = self._norm(x, layer.norm_mlp)
            if self.is_gpt2:
                h = functional.gelu(layer.up(h), approximate="tanh")
            else:
                gate, up = layer.up(h).chunk(2, dim=-1)
                h = functional.silu(gate).mul_(up)
            x = x + layer.down(h)
        return self._norm(x, self.norm_end)

    def _norm(
        self, x: torch.Tensor, weights: tuple[torch.Tensor, torch.Tensor | None]
    ) -> torch.Tensor:
        gain, bias = weights
        if bias is None:
            return functional.rms_norm(x, x.shape[-1:], gain, self.epsilon)
        return functional.layer_norm(x, x.shape[-1:], gain, bias, self.epsilon)

    def _qkv(self, layer: Layer, x: torch.Tensor, turns: torch.Tensor | None) -> torch.Tensor:
        """(rows, 3, heads, width): query, key and value, turned to their positions."""
        qkv = layer.qkv(self._norm(x, layer.norm_attention)).view(len(x), 3, self.heads, self.width)
        if layer.norm_query_key is not None:
            both = functional.rms_norm(qkv[:, :2], qkv.shape[-1:], None, self.epsilon)
            torch.mul(both, layer.norm_query_key, out=qkv[:, :2])
        if turns is not None:
            pairs = torch.view_as_complex(qkv.view(len(x), 3 * self.heads, -1, 2))
            pairs[:, : 2 * self.heads].mul_(turns)
        return qkv


def sizes(fewest: int, most: int) -> list[int]:
    """From `fewest` up to `most`, which is the last, each twice the one before."""
    found = [most]
    while found[0] > fewest:
        found.insert(0, max(fewest, 2 ** ((found[0] - 1).bit_length() - 1)))
    return found
