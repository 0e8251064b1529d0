"""A small vocabulary for tests: the first tokens of GPT-2's, which opens ten times as fast.

The ids of a byte-level BPE stand in the order of its merges, so its first ones are a vocabulary.
"""

from __future__ import annotations

import json
from pathlib import Path

from tests.paths import TOKENIZER

SIZE = 4_001
END_OF_TEXT = 4_000
NUM_BYTES = 256


def write_tokenizer(folder: Path) -> Path:
    """Write the tokenizer's files."""
    folder.mkdir(parents=True, exist_ok=True)
    whole = json.loads((TOKENIZER / "tokenizer.json").read_text(encoding="utf-8"))
    model, (end,) = whole["model"], whole["added_tokens"]
    kept = {token: number for token, number in model["vocab"].items() if number < END_OF_TEXT}
    model["vocab"] = kept | {end["content"]: END_OF_TEXT}
    model["merges"] = model["merges"][: END_OF_TEXT - NUM_BYTES]
    end["id"] = END_OF_TEXT
    (folder / "tokenizer.json").write_text(json.dumps(whole), encoding="utf-8")
    settings = (TOKENIZER / "tokenizer_config.json").read_bytes()
    (folder / "tokenizer_config.json").write_bytes(settings)
    return folder
