"""Tiny model folders of every shape that is exported, made by stock transformers."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.engine.engine import Engine
from playground.model.folder import ModelFolder
from tests.paths import TOKENIZER

CONTEXT = 64
USED = 3_000  # ids with a row of their own where the others share one
MODERN = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "max_position_embeddings": CONTEXT,
}
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": CONTEXT},
    "llama": MODERN,
    "qwen3": MODERN | {"head_dim": 32},
}


def make_model(folder: Path, shape: str) -> Path:
    """A folder with random weights that are large enough to be sure of something.

    In all but GPT-2's most rows of the table are one and the same, as in a storyteller's.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    set_seed(1)
    config = AutoConfig.for_model(
        shape,
        **SHAPES[shape],
        vocab_size=50257,
        bos_token_id=50256,
        eos_token_id=50256,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:  # gains and biases, which begin as ones and zeros
                weight.add_(0.2 * torch.randn_like(weight))
        table = model.get_input_embeddings().weight
        table[50256] *= 4  # stories end now and then
        if shape != "gpt2":
            table[USED:50256] = 0.1 * torch.randn(32)
    model.save_pretrained(folder)
    for file in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / file, folder)
    return folder


@pytest.fixture(scope="session", params=list(SHAPES))
def each_folder(request: pytest.FixtureRequest, folder_of: Callable[[str], Path]) -> Path:
    """A model folder of each shape in turn."""
    return folder_of(request.param)


@pytest.fixture(scope="session")
def folder_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The model folder of a shape: `folder_of("llama")`. To be read only."""
    made: dict[str, Path] = {}

    def find(shape: str) -> Path:
        if shape not in made:
            made[shape] = make_model(tmp_path_factory.mktemp("models") / shape, shape)
        return made[shape]

    return find


@pytest.fixture(scope="session")
def storyteller(folder_of: Callable[[str], Path]) -> ModelFolder:
    """One of them, opened."""
    return ModelFolder.open(folder_of("llama"), device="cpu")


@pytest.fixture
def engine(storyteller: ModelFolder) -> Any:
    """An engine for four stories at once, with two that may wait."""
    with Engine(storyteller, max_streams=4, max_waiting=2) as found:
        yield found
