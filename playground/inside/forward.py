"""The forward pass with everything on its way, in NumPy and fp32: GPT-2, Llama and Qwen3.

The core (playground/core) is fast and keeps no attention; this pass is for looking. It reads the
stored weights a layer at a time, so it holds no second copy of the model. The states are those of
transformers' `output_hidden_states`, but for the last: transformers gives that one after the final
norm. The weights of attention are those of its `output_attentions` with eager attention.
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
KEPT = 2  # texts whose states are kept: whoever looks at a story looks at several of its tokens
ROWS = 128  # queries that are compared with the keys at once: bounds the memory of long texts


class Forward:
    """The pass of one model.

    Attributes:
        layers, heads: how many there are.
    """

    def __init__(self, storyteller: ModelFolder) -> None:
        """`storyteller`: of a family that the core computes (families.py)."""
        config = storyteller.config
        self._config, self._stored = config, storyteller.weights
        self._family = FAMILIES[config.model_type]
        self._epsilon, self._width = epsilon_of(config), head_width(config)
        self.layers, self.heads = config.num_hidden_layers, config.num_attention_heads
        self._kept = lru_cache(KEPT)(lambda ids: self.states(list(ids)))

    def look(self, ids: list[int], row: int) -> tuple[Array, Array]:
        """See `inside.Pass`. ValueError where there is not enough memory."""
        config = self._config
        largest = max(config.vocab_size * config.hidden_size, self.heads * ROWS * len(ids) * 4)
        needed = 4 * (2 * largest + (self.layers + 1) * len(ids) * config.hidden_size)
        if needed > free_memory("cpu") // 2:
            raise ValueError(
                f"looking inside this model takes {needed / 1e9:.1f} GB of memory, more than half "
                "of what is free: close what else uses it, or open a smaller model."
            )
        states = self._kept(tuple(ids))
        attention = self.attention(states, slice(row, row + 1))
        return attention[:, :, 0], self.logits(states[:, row])

    def states(self, ids: list[int]) -> Array:
        """(layers + 1, tokens, hidden): the embeddings of a text, then what each layer makes of
        them. A token's states depend on no later token."""
        x = fp32(self._stored[self._name(f"{self._family.table}.weight")][ids])
        if self._family.positions is not None:
            x = x + self._read(f"{self._family.positions}.weight")[: len(ids)]
        states = [x]
        for layer in range(self.layers):
            queries, keys, values = self._queries_keys_values(layer, x)
            heads = np.empty_like(queries)
            for start in range(0, len(ids), ROWS):
                rows = slice(start, min(start + ROWS, len(ids)))
                heads[:, rows] = (
                    attention(queries[:, rows], keys[:, : rows.stop]) @ (values[:, : rows.stop])
                )
            x = x + self._attention_output(layer, heads.swapaxes(0, 1).reshape(len(ids), -1))
            x = x + self._mlp(layer, x)
            states.append(x)
        return np.stack(states)

    def attention(self, states: Array, rows: slice) -> Array:
        """(layers, heads, rows, tokens): how much each of the `rows` of a text attends to each
        token up to the last of them; `states` are those of `states()`."""
        found = []
        for layer in range(self.layers):
            queries, keys, _ = self._queries_keys_values(layer, states[layer, : rows.stop])
            found.append(attention(queries[:, rows], keys))
        return np.stack(found)

    def logits(self, states: Array) -> Array:
        """(rows, vocabulary): final norm and head applied to states (rows, hidden), of whichever
        layer they are (the logit lens, nostalgebraist 2020)."""
        is_tied = self._config.tie_word_embeddings
        head = self._read(f"{self._family.table}.weight" if is_tied else "lm_head.weight")
        return self._norm(self._family.norm_end, states) @ head.T

    # A layer

    def _queries_keys_values(self, layer: int, x: Array) -> tuple[Array, ...]:
        """Three of (heads, tokens, width), from states (tokens, hidden). Keys and values that
        several heads share are repeated."""
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

    def _attention_output(self, layer: int, heads: Array) -> Array:
        """(tokens, hidden): what attention adds, from its heads' (tokens, heads * width)."""
        part = "attn.c_proj" if self._config.model_type == "gpt2" else "self_attn.o_proj"
        return self._product(f"{self._family.layers}.{layer}.{part}", heads)

    def _mlp(self, layer: int, x: Array) -> Array:
        """(tokens, hidden): what the MLP adds to states (tokens, hidden)."""
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
        """A weight in fp32."""
        return fp32(self._stored[self._name(name)])

    def _name(self, name: str) -> str:
        """A weight's name in the file, with or without the family's prefix."""
        whole = self._family.prefix + name
        return whole if whole in self._stored else name

    def _product(self, name: str, x: Array) -> Array:
        """(tokens, outputs) of (tokens, inputs). GPT-2's matrices are (inputs, outputs)."""
        weight = self._read(f"{name}.weight")
        if self._config.model_type == "gpt2":
            return x @ weight + self._read(f"{name}.bias")
        return x @ weight.T

    def _by_head(self, x: Array) -> Array:
        """(heads, tokens, width) of (tokens, heads * width)."""
        return x.reshape(len(x), -1, self._width).swapaxes(0, 1)

    def _norm(self, name: str, x: Array) -> Array:
        """LayerNorm (GPT-2) or RMSNorm over the last axis."""
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
    """(heads, rows, tokens): softmax of the scaled products, of queries (heads, rows, width) that
    are the last rows of the keys' (heads, tokens, width). A token sees none that comes later."""
    rows, tokens = queries.shape[1], keys.shape[1]
    scores = queries @ keys.swapaxes(1, 2) * np.float32(queries.shape[2] ** -0.5)
    is_later = np.arange(tokens) > np.arange(tokens - rows, tokens)[:, None]
    return softmax(np.where(is_later, np.float32(-np.inf), scores))


def softmax(scores: Array) -> Array:
    """Over the last axis."""
    found: Array = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found /= found.sum(axis=-1, keepdims=True)
    return found


def rotated(heads: Array, base: float) -> Array:
    """(heads, tokens, width) with rotary positions from 0 (Su et al. 2021): a pair is the same
    place of the two halves. Angles are rounded to fp32 where transformers rounds them."""
    width = heads.shape[2]
    exponents = np.arange(0, width, 2, dtype=np.float32) / np.float32(width)
    frequencies = 1 / np.float32(base) ** exponents
    angles = np.arange(heads.shape[1], dtype=np.float32)[:, None] * frequencies
    angles = np.concatenate([angles, angles], axis=1)
    first, second = np.split(heads, 2, axis=2)
    turned = np.concatenate([-second, first], axis=2)
    found: Array = heads * np.cos(angles) + turned * np.sin(angles)
    return found


def gelu(x: Array) -> Array:
    """The approximation with tanh that GPT-2 has (Hendrycks and Gimpel 2016)."""
    inner = np.float32(np.sqrt(2 / np.pi)) * (x + np.float32(0.044715) * x**3)
    found: Array = np.float32(0.5) * x * (1 + np.tanh(inner))
    return found


def silu(x: Array) -> Array:
    """x times its sigmoid; the tanh form does not overflow."""
    found: Array = x * (np.float32(0.5) * (1 + np.tanh(x * np.float32(0.5))))
    return found
