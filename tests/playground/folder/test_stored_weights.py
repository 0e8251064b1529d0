"""Weights that nothing can be computed from are refused with one message that names them."""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from playground import generate
from playground.browser.__main__ import main as make_page
from playground.folder.model_folder import ModelFolder


@pytest.fixture
def folder(folder_of: Callable[[str], Path], tmp_path: Path) -> Path:
    """A good folder, to be spoiled."""
    return Path(shutil.copytree(folder_of("llama"), tmp_path / "model"))


def change(folder: Path, made: Callable[[str, torch.Tensor], torch.Tensor]) -> None:
    """Store other weights."""
    file = folder / "model.safetensors"
    weights = {name: made(name, weight) for name, weight in load_file(file).items()}
    save_file(weights, file, {"format": "pt"})


@pytest.mark.parametrize(
    ("dtype", "kind"), [("float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2"), ("int8", "I8")]
)
def test_quantized_weights_without_a_configuration_are_refused_everywhere(
    folder: Path, dtype: str, kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    change(
        folder, lambda _, weight: weight.to(getattr(torch, dtype)) if weight.ndim > 1 else weight
    )
    commands = (
        lambda: generate.main([str(folder), "--device", "cpu"]),
        lambda: make_page([str(folder), str(tmp_path / "page")]),
    )
    for command in commands:
        assert command() == 2
        output = capsys.readouterr()
        assert output.err.count("\n") == 1 and f"is stored as {kind}, and config.json" in output.err
    with pytest.raises(ValueError, match=f"weight is stored as {kind}"):
        ModelFolder.open(folder, device="cpu")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_arrays_are_the_stored_numbers(folder: Path, dtype: torch.dtype) -> None:
    change(folder, lambda _, weight: weight.to(dtype))
    found = ModelFolder.open(folder, device="cpu").weights
    stored = load_file(folder / "model.safetensors")
    assert found.keys() == stored.keys()
    for name, weight in stored.items():
        kind = torch.float32 if dtype == torch.bfloat16 else dtype
        assert torch.equal(torch.from_numpy(found[name]), weight.to(kind))


def test_weights_of_one_value_are_named(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    change(folder, lambda name, weight: torch.zeros_like(weight) if "down_proj" in name else weight)
    with caplog.at_level(logging.WARNING):
        ModelFolder.open(folder, device="cpu")
    (message,) = caplog.messages
    assert (
        "2 of 15 weights have the same value everywhere, model.layers.0.mlp.down_proj.weight"
        in message
    )
    for value in (0.0, 0.02):
        change(folder, lambda _, weight, value=value: torch.full_like(weight, value))
        with pytest.raises(ValueError, match="15 of 15 weights have the same value everywhere"):
            ModelFolder.open(folder, device="cpu")


def test_what_the_generation_settings_suppress_is_read(folder: Path) -> None:
    file = folder / "generation_config.json"
    values = {"suppress_tokens": [7, 5, 7, 10**6, -1, True], "begin_suppress_tokens": [9]}
    file.write_text(json.dumps(values), encoding="utf-8")
    model = ModelFolder.open(folder, device="cpu")
    assert (model.suppressed, model.suppressed_at_first) == ((5, 7), (9,))
    file.unlink()
    assert ModelFolder.open(folder, device="cpu").suppressed == ()
