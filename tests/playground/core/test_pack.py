"""Model files: what is refused, and what is exact."""

from __future__ import annotations

import numpy as np
import pytest

from playground.core.library import HEADER, Core
from playground.core.pack import pack, unique_rows
from tests.playground.core.models import model_of, packed, tensors_of


def header_of(content: bytes) -> np.void:
    return np.frombuffer(content[: HEADER.itemsize], HEADER)[0]


def test_rows_of_a_table_are_stored_once() -> None:
    table = np.array([[1, 2], [3, 4], [1, 2], [0, 0], [3, 4]], np.float32)
    rows, row_of = unique_rows(table)
    assert rows.tolist() == [[1, 2], [3, 4], [0, 0]]
    assert row_of.tolist() == [0, 1, 0, 2, 1]


def test_auto_is_fp16_where_no_value_changes() -> None:
    model = model_of("llama")
    tensors = tensors_of(model)
    assert header_of(pack(tensors, model.config).content)["weights"] == 0
    tensors["model.layers.0.mlp.up_proj.weight"] = tensors["model.layers.0.mlp.up_proj.weight"] / 3
    file = pack(tensors, model.config)
    assert header_of(file.content)["weights"] == 2 and file.is_exact
    assert not pack(tensors, model.config, "fp16").is_exact
    assert not pack(tensors, model.config, "int8").is_exact


def test_halves_and_floats_of_the_same_values_make_one_file() -> None:
    model = model_of("qwen3")
    halves = {name: tensor.astype(np.float16) for name, tensor in tensors_of(model).items()}
    assert pack(halves, model.config).content == packed("qwen3").content


def test_bytes_behind_the_arrays_are_not_the_cores() -> None:
    content = packed("gpt2").content
    assert header_of(content)["size"] == len(content)
    Core(content + b"what the page wants to know")


@pytest.mark.parametrize("shape", ["gpt2", "llama"])
def test_weights_that_do_not_fit_are_refused_by_name(shape: str) -> None:
    model = model_of(shape)
    name = next(name for name in tensors_of(model) if "proj.weight" in name)
    tensors = tensors_of(model)
    short = name.removeprefix("transformer.").removeprefix("model.")
    weight = tensors.pop(name)
    with pytest.raises(ValueError, match=f"lack '{short}': export the model again"):
        pack(tensors, model.config)
    tensors[name] = weight[:-1]
    with pytest.raises(ValueError, match=f"'{short}' has the shape"):
        pack(tensors, model.config)
    for wrong, weights in (
        (70_000.0, "fp16"),
        (np.inf, "fp32"),
        (np.nan, "fp32"),
        (np.nan, "int8"),
    ):
        tensors[name] = weight.copy()
        tensors[name][0, 0] = wrong
        with pytest.raises(ValueError, match="not a finite number|too large for fp16"):
            pack(tensors, model.config, weights)


def test_a_norm_that_is_not_finite_is_refused() -> None:
    model = model_of("llama")
    tensors = tensors_of(model)
    tensors["model.norm.weight"] = np.full_like(tensors["model.norm.weight"], np.nan)
    with pytest.raises(ValueError, match="not a finite number|too large for fp16"):
        pack(tensors, model.config)
