"""Read JSON objects from texts and files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def json_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object in a text; None if the text is anything else."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None


def read_json(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file; {} if the file is missing or cannot be read."""
    try:
        return json_object(file.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError):
        return {}
