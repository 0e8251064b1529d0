"""JSON with a checksum over itself, so that a truncated or altered file is
not read."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def dumps(info: dict[str, Any]) -> str:
    """`info` as text, with the SHA-256 of all the rest under `sha256`."""
    body = json.dumps(info, indent=1, ensure_ascii=False)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps(info | {"sha256": checksum}, indent=1, ensure_ascii=False)


def loads(text: str) -> dict[str, Any]:
    """What `dumps` wrote.

    Raises:
        ValueError: the text is not as `dumps` wrote it.
    """
    try:
        info = dict(json.loads(text))
        del info["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is not JSON with a checksum") from None
    if dumps(info) != text:
        raise ValueError("its checksum does not match")
    return info
