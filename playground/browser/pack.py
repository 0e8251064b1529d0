"""An export as the one file of the page without a server: `model-CHECKSUM.inkling`.

    model     what the core computes from (playground/core/pack.py); its header says where it ends
    4 bytes   length of the JSON, little-endian
    JSON      what the page knows besides: the tokenizer, the ids that start and end a story
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
        fingerprint: the export's own where nothing was rounded; else one of the rounded weights.
        is_exact: whether nothing was rounded.
    """

    content: bytes
    fingerprint: str
    is_exact: bool


def pack(model: ModelFolder, weights: str = "fp16") -> Packed:
    """Return an export for the page, its weights in fp16 or int8.

    Raises:
        ValueError: the core has no such shape, or the page no such tokenizer; one sentence.
    """
    if family_of(model.config) is None:
        raise ValueError(
            f"{model.folder} has a shape that the page does not compute "
            f"({model.config.model_type}): it takes the blocks that the trainer makes, GPT-2, "
            "Llama and Qwen3."
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
    """Return what stands behind the core's own part."""
    tokenizer, ids = tokenizer_table(model), Ids()
    page = {
        "start": model.start,
        "ends": sorted(model.ends),
        "suppressed": model.suppressed,
        "suppressed_at_first": model.suppressed_at_first,
        "tokenizer": {
            "pattern": tokenizer.pattern,
            "letters": tokenizer.letters,
            "merges": ids.add(tokenizer.merges),
            "made": ids.add(tokenizer.made),
            "added": tokenizer.added,
        },
    }
    page["bytes"] = len(ids.data)
    described = json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode()
    return struct.pack("<I", len(described)) + described + bytes(ids.data)


class Ids:
    """Arrays of ids, one behind the other in `data`."""

    def __init__(self) -> None:
        self.data = bytearray()

    def add(self, ids: np.ndarray) -> dict[str, Any]:
        """Append ids, as short as they fit, and return where they are."""
        size = 2 if ids.max(initial=0) < 2**16 else 4
        offset = len(self.data)
        self.data += np.ascontiguousarray(ids.astype(f"<u{size}")).tobytes()
        return {"offset": offset, "count": ids.size, "size": size}
