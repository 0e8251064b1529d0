"""Model folders of random weights, as the trainer exports them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from tests.gpt2 import SIZE
from tests.paths import TOKENIZER

FACTS = {
    "format": 1,
    "corpus": {"name": "made-up stories", "stories": 1234, "tokens": 2_500_000},
    "validation": {"perplexity": 12.34, "bits_per_byte": 0.567},
}


def make_export(
    folder: Path,
    *,
    tokenizer: Path = TOKENIZER,
    vocabulary: int = SIZE,
    ends: bool = True,
    **sizes: Any,
) -> Path:
    """Make a small Llama with a tokenizer of `vocabulary` tokens, whose last one ends a story.

    With `ends=False` stories do not end by themselves: nothing is like the token that ends them.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    end = vocabulary - 1
    shape = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
        "bos_token_id": end,
        "eos_token_id": end,
    }
    set_seed(0)
    model = LlamaForCausalLM(LlamaConfig(**(shape | sizes)))
    if not ends:
        torch.nn.init.zeros_(model.get_input_embeddings().weight[end])
    model.save_pretrained(folder)
    copy_tokenizer(tokenizer, folder)
    facts = FACTS | {"name": folder.name}
    (folder / "training.json").write_text(json.dumps(facts), encoding="utf-8")
    return folder


def copy_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Give a model folder the files of a tokenizer."""
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(tokenizer / file, folder)
