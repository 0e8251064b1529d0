"""JSON with a checksum over itself, so that a file that was torn or altered is not taken for
whole."""

from __future__ import annotations

import hashlib
import json
from typing import Any


def seal(info: dict[str, Any]) -> str:
    """`info` as text, with the SHA-256 of all the rest under `sha256`."""
    body = json.dumps(info, indent=1, ensure_ascii=False)
    checksum = hashlib.sha256(body.encode()).hexdigest()
    return json.dumps(info | {"sha256": checksum}, indent=1, ensure_ascii=False)


def unseal(text: str) -> dict[str, Any]:
    """What was sealed.

    Raises:
        ValueError: the text is not as `seal` wrote it.
    """
    try:
        info = dict(json.loads(text))
        del info["sha256"]
    except (ValueError, KeyError, TypeError):
        raise ValueError("it is no sealed JSON") from None
    if seal(info) != text:
        raise ValueError("its checksum does not match")
    return info
