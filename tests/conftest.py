"""What several tests share: a tiny model folder, made by transformers like any other export."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

TOKENIZER = Path(__file__).parents[1] / "trainer" / "corpus" / "gpt2"
Exporter = Callable[..., Path]


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory) -> Exporter:
    """Makes model folders of random weights: `export("name", hidden_size=64)`."""
    from transformers import LlamaConfig, LlamaForCausalLM, set_seed

    def make(name: str, **sizes: Any) -> Path:
        folder = tmp_path_factory.mktemp("exports") / name
        shape = {
            "vocab_size": 50257,
            "hidden_size": 32,
            "intermediate_size": 64,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "max_position_embeddings": 64,
            "tie_word_embeddings": True,
            "bos_token_id": 50256,
            "eos_token_id": 50256,
        }
        set_seed(0)
        LlamaForCausalLM(LlamaConfig(**(shape | sizes))).save_pretrained(folder)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(TOKENIZER / file, folder)
        facts = {
            "format": 1,
            "name": name,
            "corpus": {"name": "made-up stories", "stories": 1234, "tokens": 2_500_000},
            "validation": {"perplexity": 12.34, "bits_per_byte": 0.567},
        }
        (folder / "training.json").write_text(json.dumps(facts), encoding="utf-8")
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_export(export: Exporter) -> Path:
    """The smallest model folder: two layers, 32 wide, a context of 64 tokens."""
    return export("tiny")
