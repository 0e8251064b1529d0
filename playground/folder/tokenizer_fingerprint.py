"""The fingerprint of a tokenizer: if two models share it, their token ids mean the same texts.

The fingerprint covers the vocabulary in a canonical form: libraries write the same tokenizer.json
with different spaces and order of keys, and merges as pairs or as "a b".
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def tokenizer_fingerprint(tokenizer: bytes | Path) -> str:
    """Return SHA-256 of a tokenizer's vocabulary, merges and added tokens, in hexadecimal.

    Args:
        tokenizer: the bytes of a tokenizer.json, or its path.

    Raises:
        ValueError: the content is not a tokenizer.json.
    """
    content = tokenizer.read_bytes() if isinstance(tokenizer, Path) else tokenizer
    try:
        values = json.loads(content)
        model = values["model"]
        canonical = [
            _pairs(model["vocab"]),
            [_halves(merge) for merge in model.get("merges") or []],
            sorted([token["content"], token["id"]] for token in values.get("added_tokens") or []),
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise ValueError("the tokenizer is not a tokenizer.json with a vocabulary.") from None
    return hashlib.sha256(json.dumps(canonical, separators=(",", ":")).encode()).hexdigest()


def _pairs(vocabulary: Any) -> list[list[Any]]:
    """Return sorted [token, id] pairs of a mapping, or of Unigram's list of [token, score]."""
    if isinstance(vocabulary, dict):
        return sorted([token, number] for token, number in vocabulary.items())
    return sorted([token, number] for number, (token, _) in enumerate(vocabulary))


def _halves(merge: str | list[str]) -> list[str]:
    """Return the two halves of a merge, which older files write as "a b"."""
    return merge.split(" ") if isinstance(merge, str) else list(merge)
