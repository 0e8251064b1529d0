"""Convert a byte-level BPE tokenizer for the page: bytes, merges and pre-tokenization pattern."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from playground.folder.detokenizer import CHARACTER_TO_BYTE
from playground.folder.model_folder import ModelFolder

# The trainer's own pre-tokenization pattern (trainer/corpus/tokenizer/tokenizer.py).
# web/sources/local/tokenizer.js has both patterns as regular expressions.
OWN_PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
    r"|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def tokenizer_table(model: ModelFolder) -> dict[str, Any]:
    """Return the tokenizer of an export:

    pattern: "gpt2" or "own".
    letters: the id of each of the 256 bytes.
    merges: an array (merges, 2), the ids of both halves, in order of priority.
    made: an array (merges,), the id of each merged token.
    added: (id, text, is silent) of added tokens, which are matched before the text is split, the
        longest first.

    Raises:
        ValueError: it is not byte-level BPE with one of the trainer's patterns.
    """
    backend = model.tokenizer.backend_tokenizer
    described = json.loads(backend.to_str()) if backend else {}
    bpe, pattern = described.get("model", {}), pattern_of(described.get("pre_tokenizer"))
    unusual = [
        name
        for name in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "ignore_merges")
        if bpe.get(name)
    ]
    if bpe.get("type") != "BPE" or pattern is None or described["normalizer"] or unusual:
        raise ValueError(
            f"the page cannot read the tokenizer in {model.folder}: use byte-level BPE that splits "
            "words as GPT-2 does or as the trainer's own vocabularies do."
        )
    ids: dict[str, int] = bpe["vocab"]
    characters = {byte: chr(character) for character, byte in CHARACTER_TO_BYTE.items()}
    if any(character not in ids for character in characters.values()):
        raise ValueError(
            f"the tokenizer in {model.folder} lacks tokens for some bytes: export it again."
        )
    merges = [m.split(" ") if isinstance(m, str) else m for m in bpe["merges"]]
    halves = [(ids[left], ids[right]) for left, right in merges]
    added = [
        (token["id"], token["content"], not model.token_bytes(token["id"]))
        for token in described["added_tokens"]
    ]
    return {
        "pattern": pattern,
        "letters": [ids[characters[byte]] for byte in range(256)],
        "merges": np.array(halves, dtype=np.int64).reshape(-1, 2),
        "made": np.array([ids[left + right] for left, right in merges], dtype=np.int64),
        "added": sorted(added, key=lambda token: -len(token[1])),
    }


def pattern_of(pre_tokenizer: Any) -> str | None:
    """Return the pre-tokenization pattern: "gpt2", "own", or None for any other."""
    steps = (pre_tokenizer or {}).get("pretokenizers", [pre_tokenizer])
    if any(step and step.get("add_prefix_space") for step in steps):
        return None
    match steps:
        case [{"type": "ByteLevel", **rest}] if rest.get("use_regex", True):
            return "gpt2"
        case [
            {"type": "Split", "pattern": {"Regex": regex}, "behavior": "Isolated", **split},
            {"type": "ByteLevel", "use_regex": False},
        ] if regex == OWN_PATTERN and not split.get("invert"):
            return "own"
    return None
