"""Folders that open, and the sentence about each that does not."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import (
    BartConfig,
    BartForConditionalGeneration,
    BertConfig,
    BertForMaskedLM,
    BertLMHeadModel,
    DistilBertConfig,
    DistilBertForMaskedLM,
    PreTrainedModel,
    RobertaConfig,
    RobertaForMaskedLM,
    T5Config,
    T5ForConditionalGeneration,
)

from tests.trainer.foreign import save_with_gpt2s_tokenizer
from trainer.model.load import open_model

from .conftest import ModelWriter, tiny_gpt2


@pytest.fixture
def folder(model_folder: ModelWriter, tmp_path: Path) -> Path:
    """A model folder in half precision, as exports are."""
    return model_folder(tmp_path / "model", tiny_gpt2().half())


def test_opens_in_full_precision(folder: Path) -> None:
    model, tokenizer = open_model(folder)
    assert model.dtype == torch.float32
    assert not model.training
    expected = tiny_gpt2().half().float().state_dict()
    assert all(torch.equal(model.state_dict()[name], expected[name]) for name in expected)
    assert tokenizer("There").input_ids == [1858]


def without(name: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).unlink()


def truncate(folder: Path) -> None:
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])


def corrupt(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 5000)


def lose_a_tensor(folder: Path) -> None:
    tensors = load_file(folder / "model.safetensors")
    del tensors["transformer.h.1.mlp.c_fc.weight"]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def spoil(folder: Path) -> None:
    """A run that went wrong: one weight is not a number."""
    tensors = load_file(folder / "model.safetensors")
    tensors["transformer.h.1.mlp.c_fc.weight"][3, 4] = float("nan")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def other_shape(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 32}))


def unknown_family(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "abacus"}')


def bring_code(folder: Path) -> None:
    """A folder whose config.json asks to run a file of its own."""
    (folder / "own.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\n")
    own = {"AutoConfig": "own.C", "AutoModelForCausalLM": "own.M"}
    config = {"model_type": "abacus", "auto_map": own}
    (folder / "config.json").write_text(json.dumps(config))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (shutil.rmtree, "there is no model folder"),
        (without("config.json"), "has no config.json"),
        (without("tokenizer_config.json"), "has no tokenizer_config.json"),
        (without("model.safetensors"), "has no .safetensors file"),
        (truncate, "does not open"),
        (corrupt, "does not open"),
        (other_shape, "does not open"),
        (unknown_family, "does not open"),
        (bring_code, "does not open"),
        (lose_a_tensor, "lacks weights"),
        (spoil, "c_fc.weight of .* are not all numbers"),
    ],
)
def test_a_damaged_folder_is_reported_in_one_message(
    folder: Path, damage: Callable[[Path], object], sentence: str
) -> None:
    damage(folder)
    with pytest.raises(ValueError, match=sentence) as error:
        open_model(folder)
    assert len(str(error.value).splitlines()) == 1
    assert str(folder) in str(error.value)
    assert not (folder / "ran").exists()


SMALL: dict[str, Any] = {"vocab_size": 300}
BERT = SMALL | {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 64,
}  # fmt: skip
SEQ2SEQ = {
    "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
    "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32,
}  # fmt: skip


@pytest.mark.parametrize(
    "made",
    [
        lambda: BertForMaskedLM(BertConfig(**BERT)),
        lambda: RobertaForMaskedLM(RobertaConfig(**BERT)),
        lambda: DistilBertForMaskedLM(DistilBertConfig(**SMALL, dim=32, n_heads=2, n_layers=1)),
        lambda: T5ForConditionalGeneration(T5Config(**SMALL, d_model=32, d_kv=8, num_layers=1)),
        lambda: BartForConditionalGeneration(BartConfig(**SMALL, d_model=32, **SEQ2SEQ)),
    ],
    ids=["BERT", "RoBERTa", "DistilBERT", "T5", "BART"],
)
def test_a_model_that_does_not_continue_a_text_is_refused(
    made: Callable[[], PreTrainedModel], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    folder = save_with_gpt2s_tokenizer(made(), tmp_path / "theirs")
    with pytest.raises(ValueError, match="which does not continue a text") as error:
        open_model(folder)
    assert len(str(error.value).splitlines()) == 1
    assert str(folder) in str(error.value)


def test_a_decoder_made_of_bert_is_not_refused(tmp_path: Path) -> None:
    model = BertLMHeadModel(BertConfig(**BERT, is_decoder=True))
    assert open_model(save_with_gpt2s_tokenizer(model, tmp_path))[0].config.is_decoder


def test_a_pickle_is_not_read_and_the_way_out_is_named(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pytorch_model.bin is not read.*save_pretrained"):
        open_model(folder)


def test_a_model_larger_than_memory_is_refused_before_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tensors = load_file(folder / "model.safetensors")
    needed = 4 * sum(weights.numel() for weights in tensors.values())
    free = SimpleNamespace(available=needed - 1)
    monkeypatch.setattr("trainer.model.load.psutil.virtual_memory", lambda: free)
    with pytest.raises(ValueError, match=r"needs 0.0 GiB in fp32 and 0.0 GiB are free"):
        open_model(folder)
    free.available = needed
    open_model(folder)
