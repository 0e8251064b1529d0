"""The forward pass of the shapes that the trainer exports: GPT-2, Llama, Qwen3.

Written for a step that feeds one token of many stories at once, and pieces of new prompts beside
them. Decisions, all measured on two cores without a GPU (docs/speed.md):

- Query, key and value are one product, gate and up another (product.py).
- A row's result does not depend on the rows beside it, so that a story is the same to the bit alone
  and among others: products keep a row's order of summation (product.py), each row attends by
  itself over keys in whole vector registers, and MKL is told to ignore how memory lies
  (`__init__.py`).
- The body runs in fp32; the head is in head.py.
- The cache holds each story's keys and values in a place of its own; rotary positions are applied
  before a key is stored, in complex form, for which the weights' rows are interleaved at loading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch.nn import functional

from playground.head import Head
from playground.product import Product
from playground.storyteller import Storyteller

ROUND_KEYS = 16  # keys are read in multiples of this: no sum ends in a part of a vector register


@dataclass
class Layer:
    """The weights of one block; norms are (weight, bias or None)."""

    norm_attention: tuple[torch.Tensor, torch.Tensor | None]
    qkv: Product
    norm_query_key: torch.Tensor | None  # (2 * heads, head width): Qwen3's two gains
    out: Product
    norm_mlp: tuple[torch.Tensor, torch.Tensor | None]
    up: Product
    down: Product


class Network:
    """A decoder with a cache of `places` stories.

    Attributes:
        context: tokens it can look back on.
        cache: (layers, places, 2, heads, context, head width), keys and values.
        table: (vocabulary, hidden) fp32, the tied embedding.
    """

    def __init__(self, storyteller: Storyteller, places: int) -> None:
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
        shape = (self.num_layers, places, 2, self.heads, keys, self.width)
        self.cache = torch.zeros(shape, device=device)

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
        def product(part: str) -> Product:  # GPT-2 stores its matrices the other way round
            return Product(get(f"{name}{part}.weight").T, get(f"{name}{part}.bias"), torch.float32)

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
            norm = torch.cat([interleave(gain).expand(self.heads, -1) for gain in gains])
        except KeyError:  # Llama has none
            pass
        return Layer(
            (get(f"{name}input_layernorm.weight"), None),
            Product(qkv, None, torch.float32),
            norm,
            Product(get(f"{attention}o_proj.weight"), None, torch.float32),
            (get(f"{name}post_attention_layernorm.weight"), None),
            Product(
                torch.cat([get(f"{name}mlp.gate_proj.weight"), get(f"{name}mlp.up_proj.weight")]),
                None,
                torch.float32,
            ),
            Product(get(f"{name}mlp.down_proj.weight"), None, torch.float32),
        )

    def feed(self, pieces: list[Piece]) -> torch.Tensor:
        """Feed some stories their next tokens and put keys and values into the cache.

        Args:
            pieces: at most one a place.

        Returns:
            (tokens of all pieces, hidden): the states after the last norm, in the pieces' order.
        """
        ids = [number for piece in pieces for number in piece.ids]
        places = [piece.place for piece in pieces for _ in piece.ids]
        positions = [piece.start + offset for piece in pieces for offset in range(len(piece.ids))]
        where = torch.tensor([ids, places, positions], device=self.device)
        with torch.inference_mode():
            groups = groups_of(pieces, self.cache)
            x = self.table[where[0]]  # (rows, hidden)
            if self.is_gpt2:
                x = x + self.positions[where[2]]
            turns = None if self.is_gpt2 else self.turns[where[2]]
            for number, layer in enumerate(self.layers):
                x = x + layer.out(self._attend(number, layer, x, where, turns, groups))
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

    def _attend(
        self, number: int, layer: Layer, x: torch.Tensor, where: torch.Tensor,
        turns: torch.Tensor | None, groups: list[Group],
    ) -> torch.Tensor:  # fmt: skip
        """(rows, heads * width): what each row gathers from its own story."""
        qkv = layer.qkv(self._norm(x, layer.norm_attention)).view(len(x), 3, self.heads, self.width)
        if layer.norm_query_key is not None:
            both = qkv[:, :2].flatten(1, 2)  # (rows, query and key heads, width)
            both = functional.rms_norm(both, both.shape[-1:], None, self.epsilon)
            qkv[:, :2] = (both * layer.norm_query_key).view_as(qkv[:, :2])
        if turns is not None:
            pairs = torch.view_as_complex(qkv.view(len(x), 3 * self.heads, -1, 2))
            pairs[:, : 2 * self.heads].mul_(turns)
        self.cache[number][where[1], :, :, where[2]] = qkv[:, 1:]
        query = qkv[:, 0]  # (rows, heads, width)
        found = [group.attend(number, query) for group in groups]
        return found[0] if len(found) == 1 else torch.cat(found)


@dataclass
class Piece:
    """Tokens that one story is fed: `ids` at `place` from position `start` on."""

    place: int
    start: int
    ids: list[int]


class Group:
    """Rows that attend together, the same for every layer: one row each of stories in neighbouring
    places, or all rows of one story's piece.

    Each row of a piece attends by itself, as it does when it is fed alone: so what the cache holds
    does not depend on how it was fed, and a place can be used again for a story that begins alike.
    """

    def __init__(self, pieces: list[Piece], rows: slice, cache: torch.Tensor) -> None:
        self.rows = rows
        end = max(piece.start + len(piece.ids) for piece in pieces)
        num_keys = -(-end // ROUND_KEYS) * ROUND_KEYS
        positions = torch.tensor(
            [piece.start + offset for piece in pieces for offset in range(len(piece.ids))],
            device=cache.device,
        )
        hidden = torch.arange(num_keys, device=cache.device) > positions[:, None, None, None]
        # 0 where a row may look, else -inf: (rows, 1, 1, keys)
        self.mask = torch.zeros(hidden.shape, device=cache.device).masked_fill_(hidden, -torch.inf)
        known = cache[:, pieces[0].place : pieces[-1].place + 1, :, :, :num_keys]
        known = known.expand(-1, len(positions), -1, -1, -1, -1)
        self.known = [layer.unbind(1) for layer in known.unbind()]  # keys and values of each layer

    def attend(self, number: int, query: torch.Tensor) -> torch.Tensor:
        """(rows, heads * width): what rows of query (all rows, heads, width) gather in a layer."""
        keys, values = self.known[number]  # (rows, heads, keys, width)
        rows = query[self.rows][:, :, None]
        seen = functional.scaled_dot_product_attention(rows, keys, values, attn_mask=self.mask)
        return seen.flatten(1)


def groups_of(pieces: list[Piece], cache: torch.Tensor) -> list[Group]:
    """Which rows attend together: a longer piece's, and neighbours' that are fed one token."""
    groups: list[Group] = []
    row, first = 0, 0
    while first < len(pieces):
        last = first + 1
        if len(pieces[first].ids) == 1:
            while (
                last < len(pieces)
                and len(pieces[last].ids) == 1
                and pieces[last].place == pieces[last - 1].place + 1
            ):
                last += 1
        run = pieces[first:last]
        rows = slice(row, row + sum(len(piece.ids) for piece in run))
        groups.append(Group(run, rows, cache))
        row, first = rows.stop, last
    return groups
