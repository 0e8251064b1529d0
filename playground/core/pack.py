"""A folder's weights as a model file: the header and the arrays that core.h and model.c describe.

Matrices lie in tiles of four rows, four numbers of each in turn (int8: sixteen); rows are filled up
with zeros to a multiple of 4 and inputs to one of 16. Rows of a table that are all the same are
stored once, which halves a storyteller: ids that the training data lacks have one row.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

MAGIC = b"INKLING2"
HEADER_SIZE, ALIGN = 128, 64  # bytes
LINE = 16  # inputs of a product are filled up to this
SIZE_END = 2**32  # bytes of a file
LARGEST = 65_504  # number in fp16
WEIGHTS = ("fp16", "int8", "fp32")
BLOCKS = ("gpt2", "llama", "qwen3")
EPSILONS = ("layer_norm_epsilon", "rms_norm_eps")


class Packed(NamedTuple):
    """A model file.

    Attributes:
        content: its bytes.
        is_exact: whether no weight was rounded.
    """

    content: bytes
    is_exact: bool


def pack(tensors: Mapping[str, np.ndarray], config: Any, weights: str = "auto") -> Packed:
    """Pack a GPT-2, Llama or Qwen3 for the core.

    Args:
        tensors: the weights by their names in a folder, with or without the family's prefix.
        config: an object with the attributes of transformers' configurations.
        weights: "fp16", "int8" or "fp32"; "auto" is fp16 where no value changes, else fp32.

    Raises:
        ValueError: a weight is missing, has another shape than the configuration says, or does not
            fit; one sentence.
    """
    if weights == "auto":
        are_halves = all(is_half(tensor) for tensor in tensors.values() if tensor.ndim == 2)
        weights = "fp16" if are_halves else "fp32"
    return Packer(tensors, config, weights).packed()


def is_half(values: np.ndarray) -> bool:
    """Whether no value changes in fp16."""
    if values.dtype == np.float16:
        return True
    with np.errstate(over="ignore"):
        return bool((values.astype(np.float16) == values).all())


class Packer:
    """Lays a model's weights out.

    Attributes:
        parts: the arrays of the file.
        is_exact: whether no weight was rounded so far.
    """

    def __init__(self, tensors: Mapping[str, np.ndarray], config: Any, weights: str) -> None:
        self.config, self.weights = config, weights
        self.tensors = {
            name.removeprefix("transformer.").removeprefix("model."): tensor
            for name, tensor in tensors.items()
        }
        self.heads, self.hidden = config.num_attention_heads, config.hidden_size
        self.kv_heads = getattr(config, "num_key_value_heads", None) or self.heads
        self.width = getattr(config, "head_dim", None) or self.hidden // self.heads
        is_gpt2 = config.model_type == "gpt2"
        mlp = getattr(config, "n_inner", None) if is_gpt2 else config.intermediate_size
        self.mlp: int = mlp or 4 * self.hidden
        self.parts: list[bytes] = []
        self.size, self.is_exact = HEADER_SIZE, True

    def packed(self) -> Packed:
        """The file."""
        config, is_gpt2 = self.config, self.config.model_type == "gpt2"
        table, table_row_of = unique_rows(
            self.get("wte.weight" if is_gpt2 else "embed_tokens.weight")
        )
        self.ids(table_row_of)
        self.matrix(table)
        head_rows = 0
        if not config.tie_word_embeddings:
            head, head_row_of = unique_rows(self.get("lm_head.weight"))
            head_rows = len(head)
            self.ids(head_row_of)
            self.matrix(head)
        context = config.max_position_embeddings
        if is_gpt2:
            self.floats(self.get("wpe.weight", context, self.hidden))
        else:
            self.floats(frequencies(config, self.width))
        self.norm("ln_f" if is_gpt2 else "norm")
        read = self.gpt2_layer if is_gpt2 else self.gated_layer
        for number in range(config.num_hidden_layers):
            read(f"{'h' if is_gpt2 else 'layers'}.{number}.")
        if self.size >= SIZE_END:
            raise ValueError("the model takes more than 4 GiB, which the core does not compute.")
        header = struct.pack(
            "<8sI12if16i", MAGIC, self.size,
            BLOCKS.index(config.model_type), WEIGHTS.index(self.weights), self.hidden, self.heads,
            self.kv_heads, self.width, self.mlp, config.num_hidden_layers, context,
            len(table_row_of), len(table), head_rows, epsilon_of(config), *[0] * 16,
        )  # fmt: skip
        return Packed(header + b"".join(self.parts), self.is_exact)

    def get(self, name: str, *shape: int) -> np.ndarray:
        """A weight; of a shape, if one is given."""
        try:
            found = self.tensors[name]
        except KeyError:
            raise ValueError(f"the weights lack {name!r}: export the model again.") from None
        if shape and found.shape != shape:
            raise ValueError(
                f"the weight {name!r} has the shape {found.shape}, not {shape} as config.json "
                "says: export the model again."
            )
        return found

    # A block, in the order of take_layer() in model.c

    def gated_layer(self, name: str) -> None:
        """Llama's and Qwen3's: the rows of query and key are interleaved for their rotation."""
        width, hidden, mlp = self.width, self.hidden, self.mlp

        def interleave(rows: np.ndarray) -> np.ndarray:
            halves = rows.reshape(-1, 2, width // 2, *rows.shape[1:])
            return halves.swapaxes(1, 2).reshape(rows.shape)

        self.norm(f"{name}input_layernorm")
        if self.config.model_type == "qwen3":
            gains = [self.get(f"{name}self_attn.{part}_norm.weight", width) for part in "qk"]
            self.floats(np.concatenate([interleave(gain) for gain in gains]))
        self.norm(f"{name}post_attention_layernorm")
        query = self.get(f"{name}self_attn.q_proj.weight", self.heads * width, hidden)
        key = self.get(f"{name}self_attn.k_proj.weight", self.kv_heads * width, hidden)
        value = self.get(f"{name}self_attn.v_proj.weight", self.kv_heads * width, hidden)
        self.matrix(np.concatenate([interleave(query), interleave(key), value]))
        self.matrix(self.get(f"{name}self_attn.o_proj.weight", hidden, self.heads * width))
        gate = self.get(f"{name}mlp.gate_proj.weight", mlp, hidden)
        up = self.get(f"{name}mlp.up_proj.weight", mlp, hidden)
        self.matrix(np.concatenate([filled(gate, LINE), filled(up, LINE)]))
        self.matrix(self.get(f"{name}mlp.down_proj.weight", hidden, mlp))

    def gpt2_layer(self, name: str) -> None:
        """GPT-2's: biases everywhere, matrices stored the other way round."""
        hidden, mlp = self.hidden, self.mlp

        def product(part: str, inputs: int, outputs: int, multiple: int = 4) -> None:
            weight = self.get(f"{name}{part}.weight", inputs, outputs).T
            bias = self.get(f"{name}{part}.bias", outputs)
            self.matrix(filled(weight, multiple), filled(bias, multiple))

        self.norm(f"{name}ln_1")
        self.norm(f"{name}ln_2")
        product("attn.c_attn", hidden, 3 * hidden)
        product("attn.c_proj", hidden, hidden)
        product("mlp.c_fc", hidden, mlp, LINE)
        product("mlp.c_proj", mlp, hidden)

    # Parts of the file

    def append(self, values: np.ndarray) -> None:
        """Append an array."""
        content = np.ascontiguousarray(values).tobytes()
        content += bytes(-len(content) % ALIGN)
        self.parts.append(content)
        self.size += len(content)

    def floats(self, values: np.ndarray) -> None:
        """Append numbers as fp32."""
        values = values.astype("<f4")
        if not np.isfinite(values).all():
            raise ValueError("a weight is not a finite number: export the model again.")
        self.append(values)

    def ids(self, values: np.ndarray) -> None:
        """Append rows of ids."""
        self.append(values.astype("<i4"))

    def norm(self, name: str) -> None:
        """Append a norm's gain, and its bias if the family has one."""
        self.floats(self.get(f"{name}.weight", self.hidden))
        if self.config.model_type == "gpt2":
            self.floats(self.get(f"{name}.bias", self.hidden))

    def matrix(self, weight: np.ndarray, bias: np.ndarray | None = None) -> None:
        """Append a weight (rows, inputs), int8 with its scales, and its bias."""
        scale = None
        if not np.isfinite(weight).all():
            raise ValueError("a weight is not a finite number: export the model again.")
        if self.weights == "int8":
            self.is_exact = False
            weight = weight.astype(np.float32)
            scale = np.maximum(np.abs(weight).max(axis=1), np.float32(1e-12)) / np.float32(127)
            stored = np.rint(weight / scale[:, None]).astype(np.int8)
        elif self.weights == "fp16":
            if np.abs(weight).max() > LARGEST:
                raise ValueError(f"a weight is too large for fp16 (above {LARGEST:,}): use fp32.")
            stored = weight.astype("<f2")
            self.is_exact = self.is_exact and is_half(weight)
        else:
            stored = weight.astype("<f4")
        together = 16 if self.weights == "int8" else 4
        stored = np.pad(filled(stored, 4), ((0, 0), (0, -stored.shape[1] % LINE)))
        tiles = stored.reshape(len(stored) // 4, 4, -1, together)
        self.append(tiles.swapaxes(1, 2))
        for values in (scale, bias):
            if values is not None:
                self.floats(filled(values, 4))


def filled(values: np.ndarray, multiple: int) -> np.ndarray:
    """Rows, or a vector, with zeros behind up to a multiple."""
    return np.pad(values, [(0, -len(values) % multiple)] + [(0, 0)] * (values.ndim - 1))


def unique_rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct rows of a table in the order of their lowest ids, and which one each id has."""
    rows = np.ascontiguousarray(table)
    as_bytes = rows.view([("row", f"V{rows.shape[1] * rows.itemsize}")])[:, 0]
    _, firsts, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return table[firsts[order]], np.argsort(order)[inverse]


def frequencies(config: Any, width: int) -> np.ndarray:
    """(width / 2,) radians of a position of each rotating pair, rounded once (Su et al. 2021)."""
    base = float((config.rope_parameters or {}).get("rope_theta") or 10_000.0)
    return base ** (-np.arange(0, width, 2, dtype=np.float64) / width)


def epsilon_of(config: Any) -> float:
    """Return the epsilon of the configuration's norms."""
    return float(next(getattr(config, name) for name in EPSILONS if hasattr(config, name)))
