"""A forward pass in NumPy, fp32, that returns attention and hidden states: GPT-2, Llama, Qwen3.

The core (playground/core) is fast but does not keep attention. This pass reads the stored weights a
layer at a time, so it does not copy the model. The states equal transformers'
`output_hidden_states`, except that transformers applies the final norm to the last one. Attention
equals its `output_attentions` with eager attention.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from playground.core.pack import epsilon_of
from playground.folder.families import FAMILIES, head_width
from playground.folder.model_folder import ModelFolder
from playground.model.memory import free_memory

Array = NDArray[np.float32]
CACHED_TEXTS = 2  # whose states are kept: people inspect several tokens of one story
ROWS = 128  # queries per block of attention, which bounds the memory of long texts


class Forward:
    """The forward pass of one model.

    Attributes:
        layers, heads: their numbers.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        """`storyteller`: a model of one of FAMILIES (families.py)."""
        config = storyteller.config
        self._config, self._stored = config, storyteller.weights
        self._family = FAMILIES[config.model_type]
        self._epsilon, self._width = epsilon_of(config), head_width(config)
        self.layers, self.heads = config.num_hidden_layers, config.num_attention_heads
        self._cached_states = lru_cache(CACHED_TEXTS)(lambda ids: self.states(list(ids)))

    def look(self, ids: list[int], row: int) -> tuple[Array, Array]:
        """See `inside.Pass`. ValueError if memory does not suffice."""
        config = self._config
        largest = max(config.vocab_size * config.hidden_size, self.heads * ROWS * len(ids) * 4)
        needed = 4 * (2 * largest + (self.layers + 1) * len(ids) * config.hidden_size)
        if needed > free_memory("cpu") // 2:
            raise ValueError(
                f"looking inside this model takes {needed / 1e9:.1f} GB, more than half of the "
                "free memory: close other programs, or open a smaller model."
            )
        states = self._cached_states(tuple(ids))
        attention = self.attention(states, slice(row, row + 1))
        return attention[:, :, 0], self.logits(states[:, row])

    def states(self, ids: list[int]) -> Array:
        """Return (layers + 1, tokens, hidden): the embeddings of a text, then each layer's output.
        A token's states do not depend on later tokens."""
        x = fp32(self._stored[self._name(f"{self._family.table}.weight")][ids])
        if self._family.positions is not None:
            x = x + self._read(f"{self._family.positions}.weight")[: len(ids)]
        output = "attn.c_proj" if self._config.model_type == "gpt2" else "self_attn.o_proj"
        states = [x]
        for layer in range(self.layers):
            queries, keys, values = self._queries_keys_values(layer, x)
            heads = np.empty_like(queries)
            for start in range(0, len(ids), ROWS):
                rows = slice(start, min(start + ROWS, len(ids)))
                heads[:, rows] = (
                    attention(queries[:, rows], keys[:, : rows.stop]) @ (values[:, : rows.stop])
                )
            x = x + self._product(
                f"{self._family.layers}.{layer}.{output}",
                heads.swapaxes(0, 1).reshape(len(ids), -1),
            )
            x = x + self._mlp(layer, x)
            states.append(x)
        return np.stack(states)

    def attention(self, states: Array, rows: slice) -> Array:
        """Return (layers, heads, rows, tokens): the attention of the `rows` of a text to each
        token up to the last of them. `states`: those of `states()`."""
        weights = []
        for layer in range(self.layers):
            queries, keys, _ = self._queries_keys_values(layer, states[layer, : rows.stop])
            weights.append(attention(queries[:, rows], keys))
        return np.stack(weights)

    def logits(self, states: Array) -> Array:
        """Return (rows, vocabulary): final norm and head applied to states (rows, hidden) of any
        layer (the logit lens, nostalgebraist 2020)."""
        is_tied = self._config.tie_word_embeddings
        head = self._read(f"{self._family.table}.weight" if is_tied else "lm_head.weight")
        return self._norm(self._family.norm_end, states) @ head.T

    # A layer

    def _queries_keys_values(self, layer: int, x: Array) -> tuple[Array, ...]:
        """Return queries, keys and values (heads, tokens, width) of states (tokens, hidden). Keys
        and values shared by several heads (grouped-query attention) are repeated."""
        name = f"{self._family.layers}.{layer}."
        if self._config.model_type == "gpt2":
            joined = self._product(f"{name}attn.c_attn", self._norm(f"{name}ln_1", x))
            return tuple(self._by_head(part) for part in np.split(joined, 3, axis=1))
        x = self._norm(f"{name}input_layernorm", x)
        queries, keys, values = (
            self._by_head(self._product(f"{name}self_attn.{part}_proj", x)) for part in "qkv"
        )
        if self._config.model_type == "qwen3":
            queries = self._norm(f"{name}self_attn.q_norm", queries)
            keys = self._norm(f"{name}self_attn.k_norm", keys)
        base = self._config.rope_parameters["rope_theta"]
        shared = self.heads // len(keys)
        return (
            rotated(queries, base),
            np.repeat(rotated(keys, base), shared, axis=0),
            np.repeat(values, shared, axis=0),
        )

    def _mlp(self, layer: int, x: Array) -> Array:
        """Return (tokens, hidden): the MLP's output for states (tokens, hidden)."""
        name = f"{self._family.layers}.{layer}."
        if not self._family.gated:
            x = self._product(f"{name}mlp.c_fc", self._norm(f"{name}ln_2", x))
            return self._product(f"{name}mlp.c_proj", gelu(x))
        x = self._norm(f"{name}post_attention_layernorm", x)
        gate = self._product(f"{name}mlp.gate_proj", x)
        up = self._product(f"{name}mlp.up_proj", x)
        return self._product(f"{name}mlp.down_proj", silu(gate) * up)

    # Weights

    def _read(self, name: str) -> Array:
        """Return a weight in fp32."""
        return fp32(self._stored[self._name(name)])

    def _name(self, name: str) -> str:
        """Return a weight's name in the file, with or without the family's prefix."""
        prefixed = self._family.prefix + name
        return prefixed if prefixed in self._stored else name

    def _product(self, name: str, x: Array) -> Array:
        """Return (tokens, outputs) for x (tokens, inputs). GPT-2's matrices are transposed."""
        weight = self._read(f"{name}.weight")
        if self._config.model_type == "gpt2":
            return x @ weight + self._read(f"{name}.bias")
        return x @ weight.T

    def _by_head(self, x: Array) -> Array:
        """Return (heads, tokens, width) of (tokens, heads * width)."""
        return x.reshape(len(x), -1, self._width).swapaxes(0, 1)

    def _norm(self, name: str, x: Array) -> Array:
        """Return LayerNorm (GPT-2) or RMSNorm of x over the last axis."""
        gain = self._read(f"{name}.weight")
        if self._config.model_type == "gpt2":
            x = x - x.mean(axis=-1, keepdims=True)
        scale = 1 / np.sqrt((x * x).mean(axis=-1, keepdims=True) + np.float32(self._epsilon))
        x = x * scale * gain
        return x + self._read(f"{name}.bias") if self._config.model_type == "gpt2" else x


def fp32(values: Array) -> Array:
    """Return the values in fp32."""
    return values.astype(np.float32, copy=False)


def attention(queries: Array, keys: Array) -> Array:
    """Return causal attention weights (heads, rows, tokens) of queries (heads, rows, width), which
    belong to the last tokens of the keys (heads, tokens, width)."""
    rows, tokens = queries.shape[1], keys.shape[1]
    scores = queries @ keys.swapaxes(1, 2) * np.float32(queries.shape[2] ** -0.5)
    is_later = np.arange(tokens) > np.arange(tokens - rows, tokens)[:, None]
    scores = np.where(is_later, np.float32(-np.inf), scores)
    weights: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights


def rotated(heads: Array, base: float) -> Array:
    """Return heads (heads, tokens, width) with rotary positions from 0 (Su et al. 2021). A pair has
    the same index in both halves. Angles are rounded to fp32 as in transformers."""
    width = heads.shape[2]
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    frequencies = 1 / np.float32(base) ** exponents
    angles = np.arange(heads.shape[1], dtype=np.float32)[:, None] * frequencies
    angles = np.concatenate([angles, angles], axis=1)
    first, second = np.split(heads, 2, axis=2)
    quarter_turn = np.concatenate([-second, first], axis=2)
    result: Array = heads * np.cos(angles) + quarter_turn * np.sin(angles)
    return result


def gelu(x: Array) -> Array:
    """Return GELU in the tanh approximation of GPT-2 (Hendrycks and Gimpel 2016)."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    result: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return result


def silu(x: Array) -> Array:
    """Return x times its sigmoid, as a tanh, which does not overflow."""
    result: Array = x * (np.float32(0.5) * (1 + np.tanh(x * np.float32(0.5))))
    return result
