"""Checksums of files, and JSON with its own checksum, which detect truncated or altered files."""

from __future__ import annotations

import hashlib
import json
import sys
from typing import Any

PIECE = 2**20  # bytes


def sha256(stream: Any, num_bytes: int = sys.maxsize) -> str:
    """Return the SHA-256 of the next bytes of an open file, at most `num_bytes`, in hexadecimal."""
    digest = hashlib.sha256()
    while num_bytes > 0 and (part := stream.read(min(num_bytes, PIECE))):
        digest.update(part)
        num_bytes -= len(part)
    return digest.hexdigest()


def dumps(info: dict[str, Any]) -> str:
    """Return `info` as JSON, with the SHA-256 of all other keys under `sha256`."""
    body = json.dumps(info, indent=1, ensure_ascii=False)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps(info | {"sha256": checksum}, indent=1, ensure_ascii=False)


def loads(text: str) -> dict[str, Any]:
    """Return the object in a text of `dumps`. Raises ValueError if the text was altered."""
    try:
        info = dict(json.loads(text))
        del info["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is not JSON with a checksum") from None
    if dumps(info) != text:
        raise ValueError("its checksum does not match")
    return info
