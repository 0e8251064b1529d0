"""Pack an export to the model file of the page without a server, `model-CHECKSUM.inkling`.

    model     the core's file (playground/core/pack.py), whose header has its length
    4 bytes   length of the JSON, little-endian
    JSON      the tokenizer, the ids that start and end a story
    ids       arrays, each described in the JSON by {offset, count, size}

web/sources/local/packed_model.js reads it.
"""

from __future__ import annotations

import hashlib
import json
import struct
from typing import Any, NamedTuple

import numpy as np

from playground.browser.tokenizer_table import tokenizer_table
from playground.core import pack as core
from playground.folder.families import family_of
from playground.folder.model_folder import ModelFolder


class Packed(NamedTuple):
    """A packed model.

    Attributes:
        content: of the file.
        fingerprint: the export's own if no weight was rounded; else one of the rounded weights.
        is_exact: whether no weight was rounded.
    """

    content: bytes
    fingerprint: str
    is_exact: bool


def pack(model: ModelFolder, weights: str = "fp16") -> Packed:
    """Return an export packed for the page, with weights in fp16 or int8.

    Raises:
        ValueError: the core does not compute the model, or the page cannot read its tokenizer.
    """
    if family_of(model.config) is None:
        raise ValueError(
            f"the page cannot compute {model.folder} ({model.config.model_type}): use a model with "
            "the trainer's blocks, GPT-2, Llama or Qwen3."
        )
    try:
        packed = core.pack(model.weights, model.config, weights)
    except ValueError as error:
        raise ValueError(f"{model.folder}: {error}") from None
    fingerprint = model.fingerprint
    if not packed.is_exact:
        fingerprint = hashlib.sha256(
            fingerprint.encode() + weights.encode() + packed.content
        ).hexdigest()
    return Packed(packed.content + page_of(model), fingerprint, packed.is_exact)


def page_of(model: ModelFolder) -> bytes:
    """Return the file's part after the core's own: length, JSON and ids."""
    data = bytearray()

    def add(ids: np.ndarray) -> dict[str, Any]:
        """Append ids as 2-byte or 4-byte integers, and return their place."""
        size = 2 if ids.max(initial=0) < 2**16 else 4
        place = {"offset": len(data), "count": ids.size, "size": size}
        data.extend(ids.astype(f"<u{size}").tobytes())
        return place

    page = {
        "start": model.bos_id,
        "ends": sorted(model.eos_ids),
        "suppressed": model.suppressed,
        "suppressed_at_first": model.suppressed_at_first,
        "tokenizer": {
            name: add(value) if isinstance(value, np.ndarray) else value
            for name, value in tokenizer_table(model).items()
        },
    }
    page["bytes"] = len(data)
    described = json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack("<I", len(described)) + described + bytes(data)
