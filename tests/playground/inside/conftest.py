"""Small random models of every block that the trainer makes, and of others, opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.inside.inside import Inside
from tests.exports import copy_tokenizer
from tests.vocabulary import SIZE

CONTEXT = 64
WIDE = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 3, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": CONTEXT,
}  # fmt: skip
BLOCKS: dict[str, dict[str, Any]] = {  # those of the trainer, by transformers' model_type
    "gpt2": {"n_embd": 32, "n_layer": 3, "n_head": 4, "n_positions": CONTEXT},
    "gpt_neo": {
        "hidden_size": 32, "num_layers": 3, "num_heads": 4, "intermediate_size": 48,
        "attention_types": [[["global", "local", "global"], 1]], "window_size": 8,
        "max_position_embeddings": CONTEXT,
    },
    "llama": WIDE | {"tie_word_embeddings": False},
    "qwen3": WIDE | {"head_dim": 16, "tie_word_embeddings": True},
    "olmo2": WIDE,
}  # fmt: skip
OTHERS: dict[str, dict[str, Any]] = {
    "mistral": WIDE | {"sliding_window": 8},
    "gemma2": WIDE | {"head_dim": 8},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4},
    "mamba": {"hidden_size": 32, "num_hidden_layers": 2, "state_size": 8},
}


class Opened(NamedTuple):
    """A model as transformers has it, and what looks into it."""

    model: Any
    inside: Inside


@pytest.fixture(scope="session")
def random_model(
    tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Path
) -> Callable[[str], tuple[Any, Path]]:
    """A model with eager attention and large weights, and its folder: `random_model("llama")`."""

    @cache
    def make(kind: str) -> tuple[Any, Path]:
        from transformers import AutoConfig, AutoModelForCausalLM, set_seed

        set_seed(1)
        sizes = (BLOCKS | OTHERS)[kind] | {"vocab_size": SIZE, "initializer_range": 0.2}
        ends = {"bos_token_id": SIZE - 1, "eos_token_id": SIZE - 1}
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes, **ends)).eval()
        with torch.no_grad():
            for weight in model.parameters():
                if weight.ndim == 1:  # gains and biases, which begin as ones and zeros
                    weight.add_(0.2 * torch.randn_like(weight))
        folder = tmp_path_factory.mktemp("inside") / kind
        model.save_pretrained(folder)
        copy_tokenizer(small_tokenizer, folder)
        model.set_attn_implementation("eager")
        return model, folder

    return make


@pytest.fixture(scope="session")
def looked_into(
    random_model: Callable[[str], tuple[Any, Path]],
) -> Iterator[Callable[[str], Opened]]:
    """Opens a random model once: `looked_into("llama")`."""
    with ExitStack() as closing:

        @cache
        def opened(kind: str) -> Opened:
            model, folder = random_model(kind)
            storyteller = ModelFolder.open(folder, device="cpu")
            engine = closing.enter_context(Engine(storyteller, max_streams=4, max_waiting=4))
            return Opened(model, Inside(engine))

        yield opened
