"""Small model folders of every shape that is exported, made once by stock transformers.

Folders, opened models and engines of the session are read only; a test that spoils a folder copies
it first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch

from playground.engine.engine import Engine
from playground.engine.sampler import NOTHING, Sampler
from playground.folder.model_folder import ModelFolder
from tests.conftest import Exporter
from tests.exports import copy_tokenizer, make_export
from tests.paths import ROOT
from tests.vocabulary import SIZE, write_tokenizer

CONTEXT = 64
OWN_ROWS = 1_000  # ids with a row of their own where the others share one
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


@pytest.fixture
def broken_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rule that keeps characters whole, which transformers does not have: models of random
    weights break most of them."""
    monkeypatch.setattr(Sampler, "_breaking", lambda *_: NOTHING)


def make_model(
    folder: Path, shape: str, tokenizer: Path, *, vocabulary: int = SIZE, own_rows: int = OWN_ROWS
) -> Path:
    """A folder with random weights that are large enough to be sure of something.

    In all but GPT-2's most rows of the table are the same, as in a storyteller's.
    """
    from transformers import AutoConfig, AutoModelForCausalLM, set_seed

    set_seed(1)
    end = vocabulary - 1
    config = AutoConfig.for_model(
        shape,
        **SHAPES[shape],
        vocab_size=vocabulary,
        bos_token_id=end,
        eos_token_id=end,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim == 1:  # gains and biases, which begin as ones and zeros
                weight.add_(0.2 * torch.randn_like(weight))
        table = model.get_input_embeddings().weight
        table[end] *= 4  # stories end now and then
        if shape != "gpt2":
            table[own_rows:end] = 0.1 * torch.randn(32)
    model.save_pretrained(folder)
    copy_tokenizer(tokenizer, folder)
    return folder


@pytest.fixture(scope="session")
def small_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tokenizer of the small vocabulary."""
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def export(tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Path) -> Exporter:
    """As the other tests' `export`, with the small vocabulary; the same folder for the same name
    and sizes."""

    @cache
    def make(name: str, **options: Any) -> Path:
        folder = tmp_path_factory.mktemp("exports") / name
        return make_export(folder, tokenizer=small_tokenizer, vocabulary=SIZE, **options)

    return make


@pytest.fixture(scope="session")
def tiny_export(export: Exporter) -> Path:
    """The smallest model folder: two layers, 32 wide, a context of 64 tokens."""
    return export("tiny")


@pytest.fixture(scope="session")
def tiny(tiny_export: Path) -> ModelFolder:
    """The smallest model folder, opened."""
    return ModelFolder.open(tiny_export, device="cpu")


@pytest.fixture(scope="session", params=list(SHAPES))
def each_folder(request: pytest.FixtureRequest, folder_of: Callable[[str], Path]) -> Path:
    """A model folder of each shape in turn."""
    return folder_of(request.param)


@pytest.fixture(scope="session")
def folder_of(
    tmp_path_factory: pytest.TempPathFactory, small_tokenizer: Path
) -> Callable[[str], Path]:
    """The model folder of a shape: `folder_of("llama")`."""

    @cache
    def find(shape: str) -> Path:
        return make_model(tmp_path_factory.mktemp("models") / shape, shape, small_tokenizer)

    return find


@pytest.fixture(scope="session")
def opened(folder_of: Callable[[str], Path]) -> Callable[[Path], ModelFolder]:
    """Opens a folder of the session once: `opened(folder_of("llama"))`."""
    return cache(partial(ModelFolder.open, device="cpu"))


@pytest.fixture(scope="session")
def storyteller(
    opened: Callable[[Path], ModelFolder], folder_of: Callable[[str], Path]
) -> ModelFolder:
    """The Llama, opened."""
    return opened(folder_of("llama"))


@pytest.fixture(scope="session")
def shipped() -> ModelFolder:
    """The shipped storyteller, with the whole vocabulary of GPT-2."""
    return ModelFolder.open(ROOT / "models" / "storyteller", device="cpu")


@pytest.fixture(scope="session")
def shipped_engine(shipped: ModelFolder) -> Iterator[Engine]:
    """An engine of the shipped storyteller."""
    with Engine(shipped, max_streams=8) as engine:
        yield engine


@pytest.fixture
def engine(storyteller: ModelFolder) -> Iterator[Engine]:
    """An engine for four stories at once, with two that may wait."""
    with Engine(storyteller, max_streams=4, max_waiting=2) as engine:
        yield engine
