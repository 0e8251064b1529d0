"""The forward pass of the shapes that the trainer exports: GPT-2, Llama, Qwen3 (families.py).

Written for a step that feeds one token of many stories at once, and chunks of new prompts beside
them. Decisions, all measured on two cores without a GPU (docs/speed.md):

- Query, key and value are one product, gate and up another (linear.py).
- A row's result does not depend on the rows beside it, so that a story is the same to the bit alone
  and among others: products keep a row's order of summation (linear.py), each row attends by
  itself over keys in whole vector registers, the MLP's activation is computed in whole registers
  too (torch_layers.py), and MKL is told to ignore how memory lies (`__init__.py`).
- The body runs in fp32; the head is in head.py.
- The cache holds each story's keys and values in a slot of its own; rotary positions are applied
  before a key is stored, in complex form, for which the weights' rows are interleaved at loading.
- On a GPU a step has a fixed number of rows and is recorded (cuda_graph.py), with attention of a
  few sizes: products cost one row what they cost all of them, attention does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch.nn import functional

from playground.model.attention import ROUND_KEYS, Chunk, Group, Rows, groups_of, rows_of
from playground.model.config import context_of
from playground.model.cuda_graph import FixedBatch
from playground.model.families import Family, family_of, head_width
from playground.model.folder import ModelFolder
from playground.model.head import Head
from playground.model.torch_layers import READ_LAYER, Layer, Norm, send
from playground.sentences import first_line

SILU_GRAIN, GELU_GRAIN = 32_767, 16_384  # numbers that torch still gives to one thread
FEWEST_ROWS, FEWEST_KEYS = 8, 128  # of a recorded step's attention; the other sizes are doubles


class BatchedDecoder:
    """A decoder whose steps feed many stories at once; see `decoder.Decoder` for what it offers.

    Attributes:
        cache: (layers, slots, 2, heads, context, head width), keys and values.
        table: (vocabulary, hidden) fp32, the embedding.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        config, self.device = storyteller.config, torch.device(storyteller.device)
        family = family_of(config)
        assert family is not None
        self.family: Family = family
        self.heads, self.width = config.num_attention_heads, head_width(config)
        self.num_layers, self.context = config.num_hidden_layers, context_of(config)
        self.epsilon = getattr(config, family.epsilon)
        self.padding: torch.Tensor | None = None
        numbers = self.num_layers * 2 * self.heads * self.width  # keys and values of a token
        self.bytes_per_token, self.bytes_per_slot = 4 * numbers, 0
        try:
            self._read(storyteller)
        except KeyError as error:
            raise ValueError(
                f"the weights in {storyteller.folder} lack {error.args[0]!r}: "
                "export or copy the model again."
            ) from None
        except torch.OutOfMemoryError:
            raise
        except RuntimeError as error:  # of a tensor that has another shape
            raise ValueError(
                f"the weights in {storyteller.folder} do not fit its config.json "
                f"({first_line(error)}): export or copy the model again."
            ) from None

    def _read(self, storyteller: ModelFolder) -> None:
        """Bring the weights into the form of the products."""
        family, config = self.family, storyteller.config
        names = {name.removeprefix(family.prefix): tensor
                 for name, tensor in storyteller.weights.items()}  # fmt: skip

        def get(name: str) -> torch.Tensor:
            return torch.from_numpy(names[name]).to(self.device, torch.float32)

        def norm(name: str) -> Norm:
            bias = f"{name}.bias"
            return get(f"{name}.weight"), get(bias) if bias in names else None

        self.table = get(f"{family.table}.weight")
        read_layer = READ_LAYER[config.model_type]
        self.layers = [
            read_layer(get, f"{family.layers}.{number}.", self.heads, self.width)
            for number in range(self.num_layers)
        ]
        if family.positions is not None:
            self.positions = get(f"{family.positions}.weight")  # (context, hidden)
        else:
            rope = config.rope_parameters or {}
            self._rotary_base = float(rope.get("rope_theta") or 10_000.0)
        self.norm_end = norm(family.norm_end)
        tied = config.tie_word_embeddings
        self.head = Head(self.table if tied else get("lm_head.weight"))

    def reserve(self, slots: int, context: int, rows: int | None = None) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        if self.family.positions is None:
            angles = torch.arange(context)[:, None] * self._rotary_base ** (
                -torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
            )
            self.turns = torch.polar(torch.ones_like(angles), angles)[:, None].to(self.device)
        keys = -(-context // ROUND_KEYS) * ROUND_KEYS
        spare = 0 if rows is None else 1  # a slot for the padding rows of a step
        shape = (self.num_layers, slots + spare, 2, self.heads, keys, self.width)
        self.cache = torch.zeros(shape, device=self.device)
        if rows is None:
            return
        padding_rows = torch.tensor([[0, slots, 0]], device=self.device).repeat(rows, 1)
        self.padding = torch.zeros(rows, self.table.shape[1], device=self.device)
        pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None
        self._steps = {
            (num_rows, num_keys): FixedBatch(
                partial(self._fixed, num_rows, num_keys), padding_rows, pool
            )
            for num_rows in sizes(FEWEST_ROWS, rows)
            for num_keys in sizes(FEWEST_KEYS, keys)
        }

    def feed(self, chunks: list[Chunk]) -> torch.Tensor:
        """See `decoder.Decoder`; the states are those after the last norm."""
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
        rotary = self.family.positions is None
        if not rotary:
            x = x + self.positions[positions]
        turns = self.turns[positions] if rotary else None
        for number, layer in enumerate(self.layers):
            qkv = self._qkv(layer, x, turns)
            self.cache[number][slots, :, :, positions] = qkv[:, 1:]
            found = [group.attend(number, qkv[:, 0]) for group in groups]
            x = x + layer.out(found[0] if len(found) == 1 else torch.cat(found))
            h = layer.up(self._norm(x, layer.norm_mlp))
            parts = [self._activate(part) for part in h.split(self._most_rows(h))]
            x = x + layer.down(parts[0] if len(parts) == 1 else torch.cat(parts))
        return self._norm(x, self.norm_end)

    def _activate(self, h: torch.Tensor) -> torch.Tensor:
        """(rows, MLP width) of what the MLP's first product gave."""
        if not self.family.gated:
            return functional.gelu(h, approximate="tanh")
        gate, up = h.chunk(2, dim=-1)
        return functional.silu(gate).mul_(up)

    def _most_rows(self, h: torch.Tensor) -> int:
        """Rows that one thread activates: where torch divides numbers among threads, those at an
        end get other last bits, and so a row would depend on the rows beside it."""
        if self.device.type != "cpu":
            return len(h)
        if self.family.gated:
            return max(1, SILU_GRAIN // (h.shape[1] // 2))
        return max(1, GELU_GRAIN // h.shape[1])

    def _norm(self, x: torch.Tensor, weights: Norm) -> torch.Tensor:
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
