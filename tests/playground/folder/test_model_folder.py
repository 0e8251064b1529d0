"""Opening a model folder: one sentence for each way in which it can be bad; bytes of every id."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from tests.gpt2 import END_OF_TEXT as GPT2_END
from tests.vocabulary import SIZE


@pytest.fixture
def folder(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """A good folder, to be spoiled."""
    return Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))


def refusal(folder: Path) -> str:
    """The sentence with which a folder is refused, before or when an engine opens it."""
    with pytest.raises(ValueError) as found, Engine(ModelFolder.open(folder, device="cpu")):
        pass
    message = str(found.value)
    assert type(found.value) is ValueError
    assert message.strip()
    assert "\n" not in message
    assert len(message) < 400
    assert str(folder) in message
    return message


def test_a_missing_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    assert "no model folder" in refusal(tmp_path / "nowhere")
    (tmp_path / "file").write_text("x")
    assert "no model folder" in refusal(tmp_path / "file")


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_folder_without_a_part_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert name in refusal(folder)


@pytest.mark.parametrize("share", [0, 1e-6, 0.3, 0.999])
def test_cut_off_weights_are_refused(folder: Path, share: float) -> None:
    file = folder / "model.safetensors"
    os.truncate(file, int(file.stat().st_size * share))
    assert "model.safetensors is damaged" in refusal(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_a_note_of_git_lfs_in_place_of_a_file_is_named(folder: Path, name: str) -> None:
    note = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
    (folder / name).write_text(note)
    message = refusal(folder)
    assert f"{name} is a Git LFS pointer" in message and "git lfs pull" in message


def test_weights_that_are_something_else_are_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x80\x04 not tensors" * 99)
    assert "model.safetensors is damaged" in refusal(folder)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff\xfe", b"{}", b'{"model_type": 3}'])
def test_a_configuration_that_cannot_be_read_is_refused(folder: Path, content: bytes) -> None:
    (folder / "config.json").write_bytes(content)
    assert "config.json" in refusal(folder)


def test_a_tokenizer_that_cannot_be_read_is_refused(folder: Path) -> None:
    (folder / "tokenizer.json").write_text("{", encoding="utf-8")
    assert "tokenizer" in refusal(folder)


def test_more_layers_than_weights_are_refused(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    config["num_hidden_layers"] = 3
    (folder / "config.json").write_text(json.dumps(config))
    assert "layers.2" in refusal(folder)


@pytest.mark.parametrize("device", ["abacus", "cuda:99", "meta", ""])
def test_a_device_that_is_not_there_is_refused(folder: Path, device: str) -> None:
    with pytest.raises(ValueError, match=f"there is no device '{device}' on this machine: use"):
        ModelFolder.open(folder, device=device)


@pytest.mark.parametrize(
    "content",
    [
        "{",
        "[]",
        "null",
        '{"corpus": "x", "validation": 3}',
        '{"name": "Ada"}',
        '{"name": 5, "license": [], "tokens_seen": "many", "files": 3}',
        '{"corpus": {"name": {}, "stories": true}, "validation": {"perplexity": "low"}}',
    ],
)
def test_facts_for_people_are_optional(folder: Path, content: str) -> None:
    (folder / "training.json").write_text(content, encoding="utf-8")
    facts = ModelFolder.open(folder, device="cpu").facts
    assert facts.context == 64
    assert facts.vocabulary == SIZE
    assert facts.perplexity is None
    assert facts.name == ("Ada" if "Ada" in content else "model")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers_are_refused(folder: Path, value: float) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    weights[sorted(weights)[0]].view(-1)[3] = value
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert "NaN or infinity" in refusal(folder)


def test_weights_other_than_those_exported_are_refused(folder: Path) -> None:
    file = folder / "model.safetensors"
    content = bytearray(file.read_bytes())
    kept = {"files": {file.name: hashlib.sha256(content).hexdigest()}}
    (folder / "training.json").write_text(json.dumps(kept))
    ModelFolder.open(folder, device="cpu")
    content[-1] ^= 1  # a bit of a weight
    file.write_bytes(content)
    assert "changed after the export" in refusal(folder)


def test_facts_are_those_of_the_folder(storyteller: ModelFolder, tiny_export: Path) -> None:
    expected = sum(weight.size for weight in storyteller.weights.values())
    assert storyteller.facts.parameters == expected
    facts = ModelFolder.open(tiny_export).facts
    assert (facts.name, facts.corpus, facts.stories) == ("tiny", "made-up stories", 1234)
    assert (facts.corpus_tokens, facts.perplexity, facts.bits_per_byte) == (2_500_000, 12.34, 0.567)


def test_the_fingerprint_is_that_of_the_content(folder: Path, storyteller: ModelFolder) -> None:
    from safetensors.torch import load_file, save_file

    assert ModelFolder.open(folder).fingerprint == storyteller.fingerprint
    file = folder / "model.safetensors"
    weights = load_file(file)
    weights["model.norm.weight"][3] += 1
    save_file(weights, file, metadata={"format": "pt"})
    assert ModelFolder.open(folder).fingerprint != storyteller.fingerprint


def test_every_id_stands_for_the_bytes_that_the_tokenizer_decodes(shipped: ModelFolder) -> None:
    pieces = [shipped.token_bytes(token_id) for token_id in range(GPT2_END + 1)]
    decoded = [shipped.tokenizer.decode([token_id]) for token_id in range(GPT2_END)]
    assert [piece.decode(errors="replace") for piece in pieces[:GPT2_END]] == decoded
    assert pieces[GPT2_END] == b""
    assert all(len(piece) > 0 for piece in pieces[:GPT2_END])
    assert {pieces[one] for one in range(256)} == {bytes([value]) for value in range(256)}


@pytest.mark.parametrize(
    "text", ["Once upon a time.", "🦊 كان 从前", "a\0b\r\n", "<|endoftext|> x"]
)
def test_bytes_of_a_text_come_back(storyteller: ModelFolder, text: str) -> None:
    ids = storyteller.encode(text)
    found = b"".join(map(storyteller.token_bytes, ids)).decode()
    assert found == text.replace("<|endoftext|>", "")


def test_half_precision_and_several_files_are_the_same_model(folder: Path, tmp_path: Path) -> None:
    from transformers import AutoModelForCausalLM

    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float16)
    model.save_pretrained(tmp_path / "parts", max_shard_size="100KB")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / name, tmp_path / "parts")
    assert len(list((tmp_path / "parts").glob("*.safetensors"))) > 1
    whole, parts = ModelFolder.open(folder), ModelFolder.open(tmp_path / "parts")
    assert whole.weights.keys() == parts.weights.keys()
    for name, weight in whole.weights.items():
        np.testing.assert_array_equal(weight.astype(np.float16), parts.weights[name])
