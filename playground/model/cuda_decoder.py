"""The forward pass on a GPU, of the shapes that the trainer exports: GPT-2, Llama, Qwen3
(families.py). It also runs on a CPU, which is how most of its tests reach it.

- A step feeds one token of many stories at once, and chunks of new prompts beside them. It has a
  fixed number of rows and is recorded (cuda_graph.py), with attention of a few sizes: products cost
  one row what they cost all of them, attention does not.
- A row's result does not depend on the rows beside it, so that a story has the same bits alone
  and batched: each row attends by itself, and a key that it may not see adds an exact zero.
- The cache holds each story's keys and values in a slot of its own; rotary positions are applied
  before a key is stored, in complex form, for which the weights' rows are interleaved at loading.
- All of it runs in fp32. The choice of a token is the core's, on the CPU, from the logits of the
  rows that are asked about.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch.nn import functional

from playground.core.library import Head
from playground.core.pack import unique_rows
from playground.folder.config import context_of
from playground.folder.families import Family, family_of, head_width
from playground.folder.model_folder import ModelFolder
from playground.model.cuda_graph import FixedBatch, out_of_memory
from playground.model.cuda_layers import Layer, Norm, read_layer
from playground.model.decoder import Chunk, Decoder
from playground.model.memory import SLOTS_PER_STORY
from playground.sentences import first_line

FEWEST = 32  # rows of a step: to a GPU they cost what one costs, and prompts come in many
FEWEST_ROWS, FEWEST_KEYS = 8, 128  # of a recorded step's attention; the other sizes are doubles
ROUND_KEYS = 16  # the cache of a story holds a multiple of this


class CudaDecoder(Decoder):
    """A decoder whose steps feed many stories at once; see `decoder.Decoder` for what it offers.

    Attributes:
        cache: (layers, slots, 2, key heads, context, head width), keys and values.
        table: (vocabulary, hidden) fp32, the embedding.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        config, self.device = storyteller.config, torch.device(storyteller.device)
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)  # for this thread: streams and graphs are made there
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
        except RuntimeError as error:  # of a tensor that has another shape
            raise ValueError(
                f"the weights in {storyteller.folder} do not fit its config.json "
                f"({first_line(error)}): export or copy the model again."
            ) from None

    def _read(self, storyteller: ModelFolder) -> None:
        """Bring the weights into the form of the products."""
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
            self._reserve(slots, context, max(FEWEST, slots // SLOTS_PER_STORY))

    def _reserve(self, slots: int, context: int, rows: int) -> None:
        """`reserve`, with the number of rows of every step."""
        self.context = context
        if self.family.positions is None:
            angles = torch.arange(context)[:, None] * self._rotary_base ** (
                -torch.arange(0, self.width, 2, dtype=torch.float32) / self.width
            )
            self.turns = torch.polar(torch.ones_like(angles), angles)[:, None].to(self.device)
        keys = -(-context // ROUND_KEYS) * ROUND_KEYS
        # One slot more is for the rows of a step that nobody asked for.
        shape = (self.num_layers, slots + 1, 2, self.kv_heads, keys, self.width)
        self.cache = torch.zeros(shape, device=self.device)
        padding_rows = torch.tensor([[0, slots, 0]], device=self.device).repeat(rows, 1)
        self.tokens_per_step = rows
        pool = torch.cuda.graph_pool_handle() if self.device.type == "cuda" else None
        self._steps = {
            (num_rows, num_keys): FixedBatch(
                partial(self._states, num_rows, num_keys), padding_rows, pool
            )
            for num_rows in sizes(FEWEST_ROWS, rows)
            for num_keys in sizes(FEWEST_KEYS, keys)
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
        where, most = self._send(rows), self.tokens_per_step
        parts = [slice(start, start + most) for start in range(0, len(rows), most)]
        states = torch.cat([self._recorded(rows[part], where[part]) for part in parts])
        firsts = np.cumsum([0, *(len(chunk.ids) for chunk in chunks)])
        asked = [
            first + offset
            for first, chunk in zip(firsts[:-1].tolist(), chunks, strict=True)
            for offset in chunk.asked
        ]
        if not asked:
            return np.zeros((0, self.head.unique), np.float32)
        found: np.ndarray = self._logits(states[self._send(np.array(asked))])[0].cpu().numpy()
        return found

    def _send(self, array: np.ndarray) -> torch.Tensor:
        """Return an array on the device. From pinned memory a copy to a GPU does not wait for it."""
        tensor = torch.from_numpy(array)
        if self.device.type != "cuda":
            return tensor
        return tensor.pin_memory().to(self.device, non_blocking=True)

    def _recorded(self, rows: np.ndarray, where: torch.Tensor) -> torch.Tensor:
        """Return the states after (rows, 3) of id, slot and position, known to the host and lying
        on the device: the smallest recorded step that holds them."""
        most_keys = int(rows[:, 2].max()) + 1
        step = next(
            graph
            for (num_rows, num_keys), graph in self._steps.items()
            if num_rows >= len(rows) and num_keys >= most_keys
        )
        return step(where)[0]

    def _states(self, num_rows: int, num_keys: int, where: torch.Tensor) -> tuple[torch.Tensor]:
        """(rows, hidden), after the last norm, of where (rows, 3): id, slot and position, which
        decide no shape. Only the first `num_rows` attend, to the first `num_keys` positions."""
        ids, slots, positions = where.unbind(1)
        x = self.table[ids]  # (rows, hidden)
        rotary = self.family.positions is None
        if not rotary:
            x = x + self.positions[positions]
        turns = self.turns[positions] if rotary else None
        mask = visible(positions[:num_rows], num_keys)
        known = self.cache[:, :, :, :, :num_keys]
        for number, layer in enumerate(self.layers):
            qkv = self._qkv(layer, x, turns)
            query = qkv[:num_rows, : self.heads, None]
            new = qkv[:, self.heads :].view(len(x), 2, self.kv_heads, self.width)
            self.cache[number][slots, :, :, positions] = new
            keys, values = known[number].index_select(0, slots[:num_rows]).unbind(1)
            attended = functional.scaled_dot_product_attention(
                query, keys, values, attn_mask=mask, enable_gqa=self.kv_heads < self.heads
            ).flatten(1)
            x = x + layer.out(functional.pad(attended, (0, 0, 0, len(x) - num_rows)))
            x = x + layer.down(self._activate(layer.up(self._norm(x, layer.norm_mlp))))
        return (self._norm(x, self.norm_end),)

    def _qkv(self, layer: Layer, x: torch.Tensor, turns: torch.Tensor | None) -> torch.Tensor:
        """(rows, heads + 2 key heads, width): query, key and value, turned to their positions."""
        qkv = layer.qkv(self._norm(x, layer.norm_attention)).view(len(x), -1, self.width)
        both = self.heads + self.kv_heads
        if layer.norm_query_key is not None:
            normed = functional.rms_norm(qkv[:, :both], qkv.shape[-1:], None, self.epsilon)
            torch.mul(normed, layer.norm_query_key, out=qkv[:, :both])
        if turns is not None:
            pairs = torch.view_as_complex(qkv.view(*qkv.shape[:2], -1, 2))
            pairs[:, :both].mul_(turns)
        return qkv

    def _activate(self, h: torch.Tensor) -> torch.Tensor:
        """(rows, MLP width) of what the MLP's first product gave."""
        if not self.family.gated:
            return functional.gelu(h, approximate="tanh")
        gate, up = h.chunk(2, dim=-1)
        return functional.silu(gate).mul_(up)

    def _norm(self, x: torch.Tensor, weights: Norm) -> torch.Tensor:
        if weights.bias is None:
            return functional.rms_norm(x, x.shape[-1:], weights.gain, self.epsilon)
        return functional.layer_norm(x, x.shape[-1:], weights.gain, weights.bias, self.epsilon)


def visible(positions: torch.Tensor, num_keys: int) -> torch.Tensor:
    """(rows, 1, 1, keys): 0 where a row at its position may look, else -inf."""
    hidden = torch.arange(num_keys, device=positions.device) > positions[:, None, None, None]
    return torch.zeros(hidden.shape, device=positions.device).masked_fill_(hidden, -torch.inf)


def sizes(fewest: int, most: int) -> list[int]:
    """From `fewest` up to `most`, which is the last, each twice the one before."""
    found = [most]
    while found[0] > fewest:
        found.insert(0, max(fewest, 2 ** ((found[0] - 1).bit_length() - 1)))
    return found
