"""The tokenizer that leaves a run: that of its stories, with what foreign tools have to know.

A story begins after the end-of-text token, so its template puts that in front: a tool that does not
know it would start the model off its distribution. Batches are padded with the same token, and the
length is the model's context.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from trainer.corpus.tokenizer.tokenizer import END_OF_TEXT_MARK, FILE, GPT2, Tokenizer


def save_tokenizer(folder: Path, tokenizer: Tokenizer, context: int) -> None:
    """Write tokenizer.json and tokenizer_config.json for a model that sees `context` tokens."""
    processors = [tokenizer.described["post_processor"], beginning(tokenizer.end_of_text)]
    whole = {"post_processor": {"type": "Sequence", "processors": processors}}
    write(folder / FILE, tokenizer.described | whole)
    settings = json.loads((GPT2 / "tokenizer_config.json").read_text(encoding="utf-8"))
    settings |= {
        "tokenizer_class": "PreTrainedTokenizerFast",  # GPT-2's own would leave the template out
        "pad_token": END_OF_TEXT_MARK,
        "model_max_length": context,
    }
    write(folder / "tokenizer_config.json", settings)


def beginning(end_of_text: int) -> dict[str, Any]:
    """The template that puts the end-of-text token before a text."""
    mark = {"SpecialToken": {"id": END_OF_TEXT_MARK, "type_id": 0}}
    return {
        "type": "TemplateProcessing",
        "single": [mark, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [
            mark,
            {"Sequence": {"id": "A", "type_id": 0}},
            {"Sequence": {"id": "B", "type_id": 0}},
        ],
        "special_tokens": {
            END_OF_TEXT_MARK: {
                "id": END_OF_TEXT_MARK,
                "ids": [end_of_text],
                "tokens": [END_OF_TEXT_MARK],
            }
        },
    }


def write(file: Path, content: dict[str, Any]) -> None:
    """A JSON file in one line, as the trainer's own."""
    text = json.dumps(content, ensure_ascii=False, separators=(",", ":"))
    file.write_text(text, encoding="utf-8")
