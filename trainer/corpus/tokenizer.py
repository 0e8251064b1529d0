"""The GPT-2 tokenizer that ships with the project, read from gpt2/tokenizer.json.

    python -m trainer.corpus.tokenizer gpt2.tiktoken

writes the files in gpt2/ again from the rank file inside the registry package openai-whisper
(whisper/assets/gpt2.tiktoken, MIT): a line a token, its bytes in base64 and its rank. Ranks are the
token ids. The list of merges that tokenizer.json wants follows from them: a token is the merge of
the two tokens that byte-pair encoding with the lower ranks alone leaves of its bytes.

This file needs only the standard library; tiktoken is imported where text is encoded.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import tiktoken

FOLDER = Path(__file__).parent / "gpt2"
VOCABULARY = 50_257
END_OF_TEXT = 50_256
END_OF_TEXT_MARK = "<|endoftext|>"
# How GPT-2 parts a text before merging (openai/gpt-2, src/encoder.py), with possessive repeats.
PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"


def digest() -> str:
    """SHA-256 of tokenizer.json, in hexadecimal."""
    return hashlib.sha256((FOLDER / "tokenizer.json").read_bytes()).hexdigest()


@functools.cache
def token_bytes() -> tuple[bytes, ...]:
    """What each of the 50,257 ids stands for; the end-of-text token for nothing."""
    vocabulary = json.loads((FOLDER / "tokenizer.json").read_text(encoding="utf-8"))
    byte_of = {char: byte for byte, char in byte_characters().items()}
    found = [b""] * VOCABULARY
    for token, number in vocabulary["model"]["vocab"].items():
        if number != END_OF_TEXT:
            found[number] = bytes(byte_of[char] for char in token)
    return tuple(found)


def decode(ids: np.ndarray) -> str:
    """The text of some ids of one story, (n,)."""
    known = token_bytes()
    return b"".join(known[number] for number in ids.tolist()).decode(errors="replace")


@functools.cache
def encoder() -> tiktoken.Encoding:
    """The tokenizer as tiktoken's, which encodes fastest and lets other threads run meanwhile."""
    import tiktoken

    return tiktoken.Encoding(
        "gpt2",
        pat_str=PATTERN,
        mergeable_ranks={token: rank for rank, token in enumerate(token_bytes()[:END_OF_TEXT])},
        special_tokens={END_OF_TEXT_MARK: END_OF_TEXT},
    )


def byte_characters() -> dict[int, str]:
    """The printable character that stands for each byte in tokenizer.json: printable bytes of
    Latin-1 for themselves, the others for the characters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = (byte for byte in range(256) if byte not in printable)
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(0x100 + place) for place, byte in enumerate(others)
    }


def merge(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two parts that the merges of lower rank leave of `token`."""
    parts = [token[place : place + 1] for place in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, VOCABULARY) for a, b in zip(parts, parts[1:], strict=False)]
        best = min(range(len(pairs)), key=pairs.__getitem__)
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def tokenizer_json(ranks: dict[bytes, int]) -> dict[str, Any]:
    """The content of tokenizer.json, from the bytes and rank of each token."""
    char_of = byte_characters()

    def name(token: bytes) -> str:
        return "".join(char_of[byte] for byte in token)

    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": True,
        "use_regex": True,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": END_OF_TEXT,
                "content": END_OF_TEXT_MARK,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": True,
                "special": True,
            }
        ],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": byte_level | {"trim_offsets": False},
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": {name(token): rank for token, rank in ranks.items()}
            | {END_OF_TEXT_MARK: END_OF_TEXT},
            "merges": [
                [name(part) for part in merge(token, ranks)] for token in ranks if len(token) > 1
            ],
        },
    }


def main(arguments: list[str]) -> int:
    """Writes the files in gpt2/ from a rank file."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("error: give the file gpt2.tiktoken of openai-whisper", file=sys.stderr)
        return 2
    lines = Path(arguments[0]).read_bytes().splitlines()
    pairs = (line.split() for line in lines if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    FOLDER.mkdir(exist_ok=True)
    about = {
        "tokenizer_class": "GPT2TokenizerFast",
        "bos_token": END_OF_TEXT_MARK,
        "eos_token": END_OF_TEXT_MARK,
        "unk_token": END_OF_TEXT_MARK,
        "add_prefix_space": False,
        "model_max_length": 1024,
        "clean_up_tokenization_spaces": False,
    }
    for file, content in {
        "tokenizer.json": tokenizer_json(dict(sorted(ranks.items(), key=lambda pair: pair[1]))),
        "tokenizer_config.json": about,
    }.items():
        text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
        (FOLDER / file).write_text(text + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
