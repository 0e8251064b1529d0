"""The GPT-2 tokenizer that ships with the project, written anew: the files in
trainer/corpus/tokenizer/gpt2.

    python -m tests.trainer.corpus.write_gpt2_tokenizer gpt2.tiktoken

makes them from the rank file inside the registry package openai-whisper
(whisper/assets/gpt2.tiktoken, MIT): a line a token, its bytes in base64 and its rank. Ranks are the
token ids. The list of merges that tokenizer.json wants follows from them: a token is the merge of
the two tokens that byte-pair encoding with the lower ranks alone leaves of its bytes.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers.models import BPE

from trainer.corpus.tokenizer.tokenizer import (
    BYTE_LEVEL,
    END_OF_TEXT_MARK,
    GPT2,
    byte_characters,
    end_of_text_token,
    json_bytes,
)


def merge(token: bytes, ranks: dict[bytes, int]) -> list[bytes]:
    """The two parts that the merges of lower rank leave of `token`."""
    parts = [token[index : index + 1] for index in range(len(token))]
    while len(parts) > 2:
        pairs = [ranks.get(a + b, len(ranks)) for a, b in zip(parts, parts[1:], strict=False)]
        best = min(range(len(pairs)), key=pairs.__getitem__)
        parts[best : best + 2] = [parts[best] + parts[best + 1]]
    return parts


def tokenizer_json(ranks: dict[bytes, int]) -> dict[str, Any]:
    """The content of tokenizer.json, from the bytes and rank of each token."""
    char_of = byte_characters()

    def name(token: bytes) -> str:
        return "".join(char_of[byte] for byte in token)

    described: dict[str, Any] = json.loads(tokenizers.Tokenizer(BPE(fuse_unk=False)).to_str())
    described["added_tokens"] = [end_of_text_token(len(ranks))]
    described["pre_tokenizer"] = described["decoder"] = BYTE_LEVEL
    described["post_processor"] = BYTE_LEVEL | {"trim_offsets": False}
    described["model"]["vocab"] = {name(token): rank for token, rank in ranks.items()}
    described["model"]["vocab"][END_OF_TEXT_MARK] = len(ranks)
    described["model"]["merges"] = [
        [name(part) for part in merge(token, ranks)] for token in ranks if len(token) > 1
    ]
    return described


def main(arguments: list[str]) -> int:
    """Writes the files in gpt2/ from a rank file."""
    if len(arguments) != 1 or not Path(arguments[0]).is_file():
        print("error: give the file gpt2.tiktoken of openai-whisper", file=sys.stderr)
        return 2
    lines = Path(arguments[0]).read_bytes().splitlines()
    pairs = (line.split() for line in lines if line)
    ranks = {base64.b64decode(token): int(rank) for token, rank in pairs}
    GPT2.mkdir(exist_ok=True)
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
        (GPT2 / file).write_bytes(json_bytes(content))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
