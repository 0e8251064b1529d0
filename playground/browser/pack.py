"""An export as the one file that the kernel computes from: `model.bin`.

    8 bytes   "INKLING1"
    4 bytes   length of the header, little-endian
    header    JSON, filled up with spaces until what follows begins at a multiple of 64 bytes
    data      what lies in the kernel's memory as it is; `words` fills `struct Model` of kernel.c

A word of the header is [kind, value]: "i" a whole number, "f" a float, "p" an offset in the data
(-1 for NULL), "slots" what the page chooses, "layers" where the array of `struct Layer` lies.

Matrices lie in tiles of four rows, sixteen bytes of each in turn; rows are filled up with zeros to
a multiple of 4 and inputs to one of 16. Rows of a table that are all the same are stored once,
which halves a storyteller (playground/model/head.py).
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, NamedTuple

import numpy as np
import torch

from playground.browser import WEIGHTS
from playground.browser.tokenizer_table import tokenizer_table
from playground.model.config import context_of
from playground.model.families import family_of, head_width
from playground.model.folder import ModelFolder

MAGIC = b"INKLING1"
ALIGN = 64  # bytes
LINE = 16  # inputs of a product are filled up to this


class Packed(NamedTuple):
    """A packed model.

    Attributes:
        content: of model.bin.
        fingerprint: the export's own where nothing was rounded; else this file's.
        is_exact: whether nothing was rounded.
    """

    content: bytes
    fingerprint: str
    is_exact: bool


def pack(model: ModelFolder, weights: str = "fp16") -> Packed:
    """An export for the page, its weights in fp16 or int8.

    Raises:
        ValueError: its shape or its tokenizer is none that the page computes; one sentence.
    """
    packer, tokenizer = Packer(model, weights), tokenizer_table(model)
    header = {
        "words": packer.words(),
        "layers": packer.layers,
        "vocabulary": len(packer.unique_of),
        "context": packer.context,
        "start": model.start,
        "ends": sorted(model.ends),
        "suppressed": model.suppressed,
        "suppressed_at_first": model.suppressed_at_first,
        "unique_of": packer.ids(packer.unique_of),
        "rows_of": packer.ids(packer.rows_of),
        "tokenizer": {
            "pattern": tokenizer.pattern,
            "letters": tokenizer.letters,
            "merges": packer.ids(tokenizer.merges),
            "made": packer.ids(tokenizer.made),
            "added": tokenizer.added,
        },
    }
    data = bytes(packer.data)
    fingerprint = model.fingerprint
    if not packer.is_exact:
        fingerprint = hashlib.sha256(fingerprint.encode() + weights.encode() + data).hexdigest()
    header |= {"fingerprint": fingerprint, "bytes": len(data)}
    described = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    described += b" " * (-(12 + len(described)) % ALIGN)
    content = MAGIC + struct.pack("<I", len(described)) + described + data
    return Packed(content, fingerprint, packer.is_exact)


class Packer:
    """Lays a model's tensors out.

    Attributes:
        data: what lies in the kernel's memory.
        layers: words of the array of `struct Layer`.
        unique_of: (vocabulary,) the head's row of each id.
        rows_of: (vocabulary,) the table's row of each id.
        is_exact: whether no weight was rounded so far.
    """

    def __init__(self, model: ModelFolder, weights: str) -> None:
        config = model.config
        family = family_of(config)
        if family is None:
            raise ValueError(
                f"{model.folder} has a shape that the page does not compute ({config.model_type}): "
                "it takes the blocks that the trainer makes, GPT-2, Llama and Qwen3 without "
                "grouped heads."
            )
        self.family, self.config, self.kind = family, config, weights
        self.heads, self.width = config.num_attention_heads, head_width(config)
        self.context, self.hidden = context_of(config), int(config.hidden_size)
        self.data, self.is_exact = bytearray(), True
        self._tensors = {
            name.removeprefix(family.prefix): tensor for name, tensor in model.weights.items()
        }
        read = {"gpt2": self._gpt2_layer}.get(config.model_type, self._gated_layer)
        names = [f"{family.layers}.{number}." for number in range(config.num_hidden_layers)]
        self.layers = [word for name in names for word in read(name)]

    def words(self) -> list[list[Any]]:
        """The words of `struct Model`."""
        table = self.get(f"{self.family.table}.weight")
        rows, self.rows_of = unique_rows(table)
        table_words = self.matrix(rows)
        if self.config.tie_word_embeddings:
            self.unique_of, head_words = self.rows_of, table_words
        else:
            rows, self.unique_of = unique_rows(self.get("lm_head.weight"))
            head_words = self.matrix(rows)
        counts = np.bincount(self.unique_of).astype(np.float32)
        positions, turns = -1, -1
        if self.family.positions is not None:
            positions = self.floats(self.get(f"{self.family.positions}.weight").numpy())
        else:
            turns = self.floats(turns_of(self.config, self.context, self.width))
        return [
            *(["i", value] for value in (self.hidden, self.heads, self.width, self.mlp)),
            ["i", self.config.num_hidden_layers], ["i", self.context], ["slots", 0],
            ["i", len(counts)], ["i", self.family.positions is None], ["i", self.family.gated],
            ["i", self.kind == "int8"], ["f", getattr(self.config, self.family.epsilon)],
            *table_words, *head_words, ["p", positions], ["p", turns],
            *self.norm(self.family.norm_end),
            ["p", self.floats(np.pad(counts, (0, -len(counts) % 4)))], ["layers", 0],
        ]  # fmt: skip

    def get(self, name: str) -> torch.Tensor:
        """A tensor in fp32."""
        try:
            return self._tensors[name].to(torch.float32)
        except KeyError:
            raise ValueError(f"the weights lack {name!r}: export the model again.") from None

    # A block, as words of `struct Layer`

    def _gated_layer(self, name: str) -> list[list[Any]]:
        """Llama's and Qwen3's: the rows of query and key are interleaved for their rotation."""

        def interleave(rows: torch.Tensor) -> torch.Tensor:
            halves = rows.reshape(-1, 2, self.width // 2, *rows.shape[1:])
            return halves.transpose(1, 2).reshape(rows.shape)

        query, key, value = (self.get(f"{name}self_attn.{part}_proj.weight") for part in "qkv")
        gains = -1
        if f"{name}self_attn.q_norm.weight" in self._tensors:
            both = [interleave(self.get(f"{name}self_attn.{part}_norm.weight")) for part in "qk"]
            gains = self.floats(torch.cat(both).numpy())
        gate, up = (self.get(f"{name}mlp.{part}_proj.weight") for part in ("gate", "up"))
        self.mlp = len(gate)
        return [
            *self.norm(f"{name}input_layernorm"), ["p", gains],
            *self.norm(f"{name}post_attention_layernorm"),
            *self.matrix(torch.cat([interleave(query), interleave(key), value])),
            *self.matrix(self.get(f"{name}self_attn.o_proj.weight")),
            *self.matrix(torch.cat([filled(gate, LINE), filled(up, LINE)])),
            *self.matrix(self.get(f"{name}mlp.down_proj.weight")),
        ]  # fmt: skip

    def _gpt2_layer(self, name: str) -> list[list[Any]]:
        """GPT-2's: biases everywhere, matrices stored the other way round."""
        up, up_bias = self.get(f"{name}mlp.c_fc.weight").T, self.get(f"{name}mlp.c_fc.bias")
        self.mlp = len(up)

        def product(part: str) -> list[list[Any]]:
            return self.matrix(self.get(f"{name}{part}.weight").T, self.get(f"{name}{part}.bias"))

        return [
            *self.norm(f"{name}ln_1"), ["p", -1], *self.norm(f"{name}ln_2"),
            *product("attn.c_attn"), *product("attn.c_proj"),
            *self.matrix(filled(up, LINE), filled(up_bias, LINE)), *product("mlp.c_proj"),
        ]  # fmt: skip

    # Parts of the data

    def offset_of(self, values: np.ndarray) -> int:
        """Append an array; where it begins."""
        self.data += bytes(-len(self.data) % ALIGN)
        offset = len(self.data)
        self.data += np.ascontiguousarray(values).tobytes()
        return offset

    def floats(self, values: np.ndarray) -> int:
        """Append numbers as fp32; where they begin."""
        return self.offset_of(values.astype(np.float32))

    def ids(self, values: np.ndarray) -> dict[str, int]:
        """Append ids, as short as they fit; where they begin, how many, and bytes of each."""
        size = 2 if values.max(initial=0) < 2**16 else 4
        offset = self.offset_of(values.astype(f"<u{size}"))
        return {"offset": offset, "count": values.size, "size": size}

    def norm(self, name: str) -> list[list[Any]]:
        """Two words: gain, and bias or NULL."""
        bias = f"{name}.bias"
        gain = self.floats(self.get(f"{name}.weight").numpy())
        return [
            ["p", gain],
            ["p", self.floats(self.get(bias).numpy()) if bias in self._tensors else -1],
        ]

    def matrix(self, weight: torch.Tensor, bias: torch.Tensor | None = None) -> list[list[Any]]:
        """The words of `struct Matrix` of a weight (rows, inputs)."""
        weight = torch.nn.functional.pad(weight, (0, -weight.shape[1] % LINE))
        weight = filled(weight, 4)
        scales = -1
        if self.kind == "int8":
            self.is_exact = False
            scale = weight.abs().amax(1).clamp_min(1e-12) / 127
            stored = (weight / scale[:, None]).round().to(torch.int8).numpy()
            scales = self.floats(scale.numpy())
        else:
            halves = weight.to(torch.float16)
            if not torch.isfinite(halves).all():
                raise ValueError(
                    "a weight is too large for fp16 (above 65,504): the page cannot compute this "
                    "model."
                )
            self.is_exact = self.is_exact and torch.equal(halves.float(), weight)
            stored = halves.numpy()
        rows, inputs = stored.shape
        together = WEIGHTS[self.kind]
        tiles = stored.reshape(rows // 4, 4, inputs // together, together).transpose(0, 2, 1, 3)
        return [
            ["p", self.offset_of(tiles)],
            ["p", scales],
            ["p", -1 if bias is None else self.floats(filled(bias, 4).numpy())],
            ["i", rows],
            ["i", inputs],
        ]


def filled(values: torch.Tensor, multiple: int) -> torch.Tensor:
    """Rows, or a vector, with zeros behind up to a multiple."""
    missing = -len(values) % multiple
    return torch.nn.functional.pad(values, (0, 0) * (values.dim() - 1) + (0, missing))


def unique_rows(table: torch.Tensor) -> tuple[torch.Tensor, np.ndarray]:
    """The distinct rows of a table in the order of their lowest ids, and which one each id has."""
    rows = np.ascontiguousarray(table.numpy())
    as_bytes = rows.view([("row", f"V{rows.shape[1] * rows.itemsize}")])[:, 0]
    _, firsts, inverse = np.unique(as_bytes, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    return table[firsts[order]], np.argsort(order)[inverse]


def turns_of(config: Any, context: int, width: int) -> np.ndarray:
    """(context, width / 2, 2): cosine and sine of each position's angles, as the decoder has them
    (batched_decoder.py)."""
    base = float((config.rope_parameters or {}).get("rope_theta") or 10_000.0)
    angles = torch.arange(context)[:, None] * base ** (
        -torch.arange(0, width, 2, dtype=torch.float32) / width
    )
    return torch.view_as_real(torch.polar(torch.ones_like(angles), angles)).numpy()
