"""The forward pass on a GPU for the families that the trainer exports: GPT-2, Llama, Qwen3
(families.py). It also runs on a CPU, where most of its tests run.

- A step computes one token of many stories, and chunks of new prompts beside them. It has a fixed
  number of rows and is a CUDA graph (cuda_graph.py), with attention in a few sizes: a matrix
  product takes as long for one row as for all of them, attention does not.
- The decoder is batch-invariant: each row attends separately, and a masked key adds an exact zero.
- The cache holds the keys and values of each story in a slot. Rotary positions are applied before a
  key is stored, as complex products, for which the weights' rows are interleaved at loading.
- Everything is fp32. The core chooses tokens on the CPU, from the logits of the asked rows.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional

from playground.core.library import Chunk, Head
from playground.core.pack import unique_rows
from playground.folder.config import context_of
from playground.folder.families import Family, family_of, head_width
from playground.folder.model_folder import ModelFolder
from playground.model.cuda_graph import FixedBatch, out_of_memory
from playground.model.cuda_layers import Layer, Norm, read_layer
from playground.model.decoder import Decoder
from playground.model.memory import SLOTS_PER_STORY
from playground.sentences import first_line

MIN_STEP_ROWS = 32  # rows of a step, which cost a GPU as much as one row; prompts have many
MIN_ROWS, MIN_KEYS = 8, 128  # of a recorded step's attention; larger sizes are doubled
ROUND_KEYS = 16  # a slot's number of keys is a multiple of this


class CudaDecoder(Decoder):
    """A batched `decoder.Decoder`.

    Attributes:
        cache: (layers, slots, 2, key heads, context, head width), keys and values.
        table: (vocabulary, hidden) fp32, the embedding.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        config, self.device = storyteller.config, torch.device(storyteller.device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # for streams and graphs of this thread
        family = family_of(config)
        assert family is not None
        self.family: Family = family
        self.heads, self.width = config.num_attention_heads, head_width(config)
        self.kv_heads = getattr(config, "num_key_value_heads", None) or self.heads
        self.num_layers, self.context = config.num_hidden_layers, context_of(config)
        self.epsilon = getattr(config, family.epsilon)
        numbers = self.num_layers * 2 * self.kv_heads * self.width  # keys and values of a token
        self.bytes_per_token, self.bytes_per_slot = 4 * numbers, 0
        try:
            with out_of_memory():
                self._read(storyteller)
        except KeyError as error:
            raise ValueError(
                f"the weights in {storyteller.folder} lack {error.args[0]!r}: "
                "export or copy the model again."
            ) from None
        except RuntimeError as error:  # a tensor has the wrong shape
            raise ValueError(
                f"the weights in {storyteller.folder} do not fit its config.json "
                f"({first_line(error)}): export or copy the model again."
            ) from None

    def _read(self, storyteller: ModelFolder) -> None:
        """Load the weights in the layout of cuda_layers.py."""
        family, config = self.family, storyteller.config
        names = {name.removeprefix(family.prefix): name for name in storyteller.weights}

        def get(name: str) -> torch.Tensor:
            return torch.from_numpy(storyteller.weights[names[name]]).to(self.device, torch.float32)

        def norm(name: str) -> Norm:
            bias = f"{name}.bias"
            return Norm(get(f"{name}.weight"), get(bias) if bias in names else None)

        self.table = get(f"{family.table}.weight")
        shape = (self.heads, self.kv_heads, self.width)
        self.layers = [
            read_layer(get, config.model_type, f"{family.layers}.{number}.", *shape)
            for number in range(self.num_layers)
        ]
        if family.positions is not None:
            self.positions = get(f"{family.positions}.weight")  # (context, hidden)
        else:
            rope = config.rope_parameters or {}
            self._rotary_base = float(rope.get("rope_theta") or 10_000.0)
        self.norm_end = norm(family.norm_end)
        table = self.table if config.tie_word_embeddings else get("lm_head.weight")
        rows, unique_of = unique_rows(table.cpu().numpy())
        self.head = Head(unique_of)
        self._head_rows = torch.from_numpy(rows).to(self.device)  # (unique, hidden)

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        with out_of_memory():
            self._reserve(slots, context, max(MIN_STEP_ROWS, slots // SLOTS_PER_STORY))

    def _reserve(self, slots: int, context: int, rows: int) -> None:
        """Allocate the cache and record the steps, each of `rows` rows."""
        self.context = context
        if self.family.positions is None:
            angles = torch.arange(context)[:, None] * self._rotary_base ** (
                -torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
            )
            self.rotations = torch.polar(torch.ones_like(angles), angles)[:, None].to(self.device)
        keys = -(-context // ROUND_KEYS) * ROUND_KEYS
        # An additional slot takes the keys and values of padding rows.
        shape = (self.num_layers, slots + 1, 2, self.kv_heads, keys, self.width)
        self.cache = torch.zeros(shape, device=self.device)
        padding_rows = torch.tensor([[0, slots, 0]], device=self.device).repeat(rows, 1)
        self.tokens_per_step = rows
        pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None
        self._steps = {
            (num_rows, num_keys): FixedBatch(
                partial(self._states, num_rows, num_keys), padding_rows, pool
            )
            for num_rows in sizes(MIN_ROWS, rows)
            for num_keys in sizes(MIN_KEYS, keys)
        }
        states = torch.zeros(rows, self.table.shape[1], device=self.device)
        self._logits = FixedBatch(lambda x: (functional.linear(x, self._head_rows),), states, pool)

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        rows = np.array(
            [
                (token_id, chunk.slot, chunk.start + offset)
                for chunk in chunks
                for offset, token_id in enumerate(chunk.ids)
            ]
        )
        on_device, size = self._to_device(rows), self.tokens_per_step
        parts = [slice(start, start + size) for start in range(0, len(rows), size)]
        states = torch.cat([self._run_step(rows[part], on_device[part]) for part in parts])
        firsts = np.cumsum([0, *(len(chunk.ids) for chunk in chunks)])
        asked = [
            first + offset
            for first, chunk in zip(firsts[:-1].tolist(), chunks, strict=True)
            for offset in chunk.asked
        ]
        if not asked:
            return np.zeros((0, self.head.unique), np.float32)
        logits: np.ndarray = self._logits(states[self._to_device(np.array(asked))])[0].cpu().numpy()
        return logits

    def _to_device(self, array: np.ndarray) -> torch.Tensor:
        """Return an array on the device. Pinned memory makes the copy to a GPU asynchronous."""
        tensor = torch.from_numpy(array)
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _run_step(self, rows: np.ndarray, on_device: torch.Tensor) -> torch.Tensor:
        """Return the states of rows (rows, 3) of id, slot and position, given on the host and on
        the device, by the smallest recorded step that is large enough."""
        last_key = int(rows[:, 2].max()) + 1
        step = next(
            graph
            for (num_rows, num_keys), graph in self._steps.items()
            if num_rows >= len(rows) and num_keys >= last_key
        )
        return step(on_device)[0]

    def _states(self, num_rows: int, num_keys: int, rows: torch.Tensor) -> tuple[torch.Tensor]:
        """Return the states (rows, hidden) after the final norm of rows (rows, 3): id, slot and
        position. Shapes depend only on `num_rows`, the first rows, which attend, and `num_keys`,
        the first positions, to which they attend: a CUDA graph has fixed shapes."""
        ids, slots, positions = rows.unbind(1)
        x = self.table[ids]  # (rows, hidden)
        rotary = self.family.positions is None
        if not rotary:
            x = x + self.positions[positions]
        rotations = self.rotations[positions] if rotary else None
        mask = causal_mask(positions[:num_rows], num_keys)
        cache = self.cache[:, :, :, :, :num_keys]
        for number, layer in enumerate(self.layers):
            qkv = self._qkv(layer, x, rotations)
            query = qkv[:num_rows, : self.heads, None]
            new = qkv[:, self.heads :].view(len(x), 2, self.kv_heads, self.width)
            self.cache[number][slots, :, :, positions] = new
            keys, values = cache[number].index_select(0, slots[:num_rows]).unbind(1)
            attended = functional.scaled_dot_product_attention(
                query, keys, values, attn_mask=mask, enable_gqa=self.kv_heads < self.heads
            ).flatten(1)
            x = x + layer.out(functional.pad(attended, (0, 0, 0, len(x) - num_rows)))
            x = x + layer.down(self._activate(layer.up(self._norm(x, layer.norm_mlp))))
        return (self._norm(x, self.norm_end),)

    def _qkv(self, layer: Layer, x: torch.Tensor, rotations: torch.Tensor | None) -> torch.Tensor:
        """Return (rows, heads + 2 key heads, width): query, key and value, with rotary
        positions."""
        qkv = layer.qkv(self._norm(x, layer.norm_attention)).view(len(x), -1, self.width)
        num_qk = self.heads + self.kv_heads
        if layer.norm_query_key is not None:
            normed = functional.rms_norm(qkv[:, :num_qk], qkv.shape[-1:], None, self.epsilon)
            torch.mul(normed, layer.norm_query_key, out=qkv[:, :num_qk])
        if rotations is not None:
            pairs = torch.view_as_complex(qkv.view(*qkv.shape[:2], -1, 2))
            pairs[:, :num_qk].mul_(rotations)
        return qkv

    def _activate(self, h: torch.Tensor) -> torch.Tensor:
        """Return the MLP's activation (rows, MLP width) of its first product."""
        if not self.family.gated:
            return functional.gelu(h, approximate="tanh")
        gate, up = h.chunk(2, dim=-1)
        return functional.silu(gate).mul_(up)

    def _norm(self, x: torch.Tensor, weights: Norm) -> torch.Tensor:
        if weights.bias is None:
            return functional.rms_norm(x, x.shape[-1:], weights.gain, self.epsilon)
        return functional.layer_norm(x, x.shape[-1:], weights.gain, weights.bias, self.epsilon)


def causal_mask(positions: torch.Tensor, num_keys: int) -> torch.Tensor:
    """Return (rows, 1, 1, keys): 0 for keys up to a row's position, -inf for later ones."""
    later = torch.arange(num_keys, device=positions.device) > positions[:, None, None, None]
    return torch.zeros(later.shape, device=positions.device).masked_fill_(later, -torch.inf)


def sizes(smallest: int, largest: int) -> list[int]:
    """Return powers of two from `smallest` on, then `largest`."""
    powers = [largest]
    while powers[0] > smallest:
        powers.insert(0, max(smallest, 2 ** ((powers[0] - 1).bit_length() - 1)))
    return powers
