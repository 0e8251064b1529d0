"""A byte-level tokenizer as the page needs it: letters, merges, and how a text is split."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from playground.folder.detokenizer import LETTER_TO_BYTE
from playground.folder.model_folder import ModelFolder

# What stands in tokenizer.json for the two ways of parting a text into words that the trainer uses
# (trainer/corpus/tokenizer/tokenizer.py); web/sources/local/tokenizer.js has the expressions.
OWN_PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
    r"|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


class TokenizerTable(NamedTuple):
    """A tokenizer.

    Attributes:
        pattern: "gpt2" or "own".
        letters: the id of each of 256 bytes.
        merges: (merges, 2), the ids of both halves, in the order in which they are looked for.
        made: (merges,), the id that each makes.
        added: [id, text, is silent] of tokens that are found in a text before it is split, the
            longest first.
    """

    pattern: str
    letters: list[int]
    merges: np.ndarray
    made: np.ndarray
    added: list[tuple[int, str, bool]]


def tokenizer_table(model: ModelFolder) -> TokenizerTable:
    """Return the tokenizer of an export.

    Raises:
        ValueError: it is not byte-level BPE as the trainer makes it; one sentence.
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
            f"the page cannot read the tokenizer in {model.folder}: it takes byte-level BPE that "
            "splits words as GPT-2 does or as the trainer's own vocabularies do."
        )
    ids: dict[str, int] = bpe["vocab"]
    letters = {number: chr(letter) for letter, number in LETTER_TO_BYTE.items()}
    if any(letter not in ids for letter in letters.values()):
        raise ValueError(
            f"the tokenizer in {model.folder} lacks letters for some bytes: export it again."
        )
    pairs = [tuple(one.split(" ")) if isinstance(one, str) else one for one in bpe["merges"]]
    both = [(ids[left], ids[right]) for left, right in pairs]
    added = [
        (one["id"], one["content"], not model.token_bytes(one["id"]))
        for one in described["added_tokens"]
    ]
    return TokenizerTable(
        pattern,
        [ids[letters[number]] for number in range(256)],
        np.array(both, dtype=np.int64).reshape(-1, 2),
        np.array([ids[left + right] for left, right in pairs], dtype=np.int64),
        sorted(added, key=lambda one: -len(one[1])),
    )


def pattern_of(pre_tokenizer: Any) -> str | None:
    """Return how a text is split into words: "gpt2", "own", or None for another way."""
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
