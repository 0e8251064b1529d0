"""Tiny models with random weights, and stories to judge them by."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from tests.exports import copy_tokenizer
from tests.vocabulary import END_OF_TEXT, SIZE, write_tokenizer

ModelWriter = Callable[[Path, PreTrainedModel], Path]
SIZES = {
    "hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 2,
}  # fmt: skip
IDS = {"vocab_size": SIZE, "bos_token_id": END_OF_TEXT, "eos_token_id": END_OF_TEXT}


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files of the small vocabulary's tokenizer."""
    return write_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def tokenizer(tokenizer_folder: Path) -> PreTrainedTokenizerBase:
    return AutoTokenizer.from_pretrained(tokenizer_folder)


@pytest.fixture(scope="session")
def model_folder(tokenizer_folder: Path) -> ModelWriter:
    """Writes a model with its tokenizer, as transformers keeps them."""

    def write(folder: Path, model: PreTrainedModel) -> Path:
        model.save_pretrained(folder)
        copy_tokenizer(tokenizer_folder, folder)
        return folder

    return write


def tiny(kind: str, seed: int, **sizes: object) -> PreTrainedModel:
    """Large weights, so that what stands before a token matters to it."""
    torch.manual_seed(seed)
    config = AutoConfig.for_model(kind, initializer_range=0.5, **IDS, **sizes)
    return AutoModelForCausalLM.from_config(config).eval()


def tiny_llama(context: int = 24) -> PreTrainedModel:
    return tiny("llama", 11, **SIZES, max_position_embeddings=context, tie_word_embeddings=True)


def tiny_gpt2(context: int = 24) -> PreTrainedModel:
    return tiny("gpt2", 12, n_embd=16, n_layer=2, n_head=2, n_positions=context)


def tiny_gemma2(context: int = 24) -> PreTrainedModel:
    """A family that caps its logits: head(hidden) alone would be wrong."""
    caps = {"head_dim": 8, "final_logit_softcapping": 5.0, "pad_token_id": END_OF_TEXT}
    return tiny("gemma2", 13, **SIZES, max_position_embeddings=context, **caps)


@pytest.fixture(params=[tiny_llama, tiny_gpt2, tiny_gemma2], ids=["llama", "gpt2", "gemma2"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return request.param()


@pytest.fixture
def llama() -> PreTrainedModel:
    return tiny_llama()


@pytest.fixture
def stories() -> list[str]:
    """Lengths from one token to three contexts."""
    return [
        "Sun.",
        "Once upon a time, a small snail found a red button in the wet grass.",
        "Tim had a kite. " * 12
        + "The wind was strong, and the kite went up, up, up! “Look!” said Tim.",
        "Mia liked her blue cup. One day the cup fell down and broke. Mia was sad. Dad had glue.",
    ]
