"""An export as one file for the page, and what is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground.browser.pack import pack
from playground.browser.tokenizer_table import OWN_PATTERN, pattern_of
from playground.core.library import Core
from playground.folder.model_folder import ModelFolder
from trainer.corpus.tokenizer.tokenizer import BYTE_LEVEL, OWN_PRE_TOKENIZER, PATTERN

pytestmark = pytest.mark.slow  # models with GPT-2's whole vocabulary


def changed(folder: Path, out: Path, **values: Any) -> Path:
    """A copy of a model folder with other values in its config.json."""
    shutil.copytree(folder, out)
    config = json.loads((out / "config.json").read_text())
    (out / "config.json").write_text(json.dumps(config | values))
    return out


def rewritten(folder: Path, out: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A copy of a model folder with other weights."""
    shutil.copytree(folder, out)
    weights = load_file(out / "model.safetensors")
    change(weights)
    save_file(weights, out / "model.safetensors", {"format": "pt"})
    return out


def test_equal_rows_are_stored_once(folder_of: Callable[[str], Path]) -> None:
    many = pack(ModelFolder.open(folder_of("gpt2"), device="cpu"))
    few = pack(ModelFolder.open(folder_of("llama"), device="cpu"))
    core = Core(few.content)
    core.reserve(slots=1, context=8)
    assert core.head.unique == 3_001 + 1  # those of their own, the common one, the end
    assert len(few.content) < len(many.content) / 4


def test_only_what_loses_nothing_has_the_export_s_fingerprint(
    folder_of: Callable[[str], Path], tmp_path: Path
) -> None:
    model = ModelFolder.open(folder_of("llama"), device="cpu")
    rounded, small = pack(model), pack(model, "int8")
    assert not rounded.is_exact
    assert not small.is_exact
    assert len({model.fingerprint, rounded.fingerprint, small.fingerprint}) == 3

    def halve(weights: dict[str, torch.Tensor]) -> None:
        weights |= {name: weight.half() for name, weight in weights.items()}

    exact = ModelFolder.open(rewritten(folder_of("llama"), tmp_path / "half", halve), device="cpu")
    assert pack(exact).is_exact
    assert pack(exact).fingerprint == exact.fingerprint
    assert pack(exact).content == pack(exact).content


def test_other_shapes_are_a_sentence(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    model = ModelFolder.open(folder_of("llama"), device="cpu")
    model.config.model_type = "mamba"
    with pytest.raises(ValueError, match=r"the page cannot compute .* \(mamba\)"):
        pack(model)

    def enlarge(weights: dict[str, torch.Tensor]) -> None:
        weights["model.layers.0.mlp.up_proj.weight"][0, 0] = 70_000

    large = rewritten(folder_of("llama"), tmp_path / "large", enlarge)
    with pytest.raises(ValueError, match="too large for fp16"):
        pack(ModelFolder.open(large, device="cpu"))


def test_other_tokenizers_are_a_sentence(folder_of: Callable[[str], Path], tmp_path: Path) -> None:
    out = changed(folder_of("llama"), tmp_path / "words")
    tokenizer = json.loads((out / "tokenizer.json").read_text())
    tokenizer["pre_tokenizer"] = {"type": "Whitespace"}
    (out / "tokenizer.json").write_text(json.dumps(tokenizer))
    settings = json.loads((out / "tokenizer_config.json").read_text())
    settings["tokenizer_class"] = "PreTrainedTokenizerFast"  # GPT-2's class parts words its own way
    (out / "tokenizer_config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match=r"cannot read the tokenizer in "):
        pack(ModelFolder.open(out, device="cpu"))


def test_the_two_ways_of_parting_words_are_the_trainer_s() -> None:
    assert OWN_PATTERN == PATTERN
    assert pattern_of(OWN_PRE_TOKENIZER) == "own"
    assert pattern_of(BYTE_LEVEL) == "gpt2"
    assert pattern_of(BYTE_LEVEL | {"add_prefix_space": True}) is None
    assert pattern_of(BYTE_LEVEL | {"use_regex": False}) is None
    assert pattern_of(None) is None
