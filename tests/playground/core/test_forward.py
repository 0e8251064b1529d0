"""The core's forward pass against transformers in fp32."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from playground.core import library
from playground.core.library import Chunk, Core
from playground.core.pack import pack
from tests.playground.core.models import (
    CONTEXT,
    SHAPES,
    core_of,
    logits_of,
    model_of,
    packed,
    questions_of,
    some_ids,
    tensors_of,
)

CLOSE = 1e-5  # of the largest logit: sums are rounded in another order


def reference(model: Any, ids: np.ndarray) -> np.ndarray:
    """(tokens, ids) logits."""
    with torch.inference_mode():
        found: np.ndarray = model(torch.tensor(ids[None])).logits[0].numpy()
    return found


@pytest.mark.parametrize("weights", ["fp16", "fp32", "auto"])
@pytest.mark.parametrize("shape", SHAPES)
def test_logits_are_those_of_transformers(shape: str, weights: str) -> None:
    file = packed(shape, weights)
    assert file.is_exact
    ids = some_ids(CONTEXT)
    expected = reference(model_of(shape), ids)
    found = logits_of(core_of(file.content, 2), ids, slot=1)
    assert np.abs(found - expected).max() < CLOSE * np.abs(expected).max()


@pytest.mark.parametrize("shape", SHAPES)
def test_int8_is_its_rounded_weights(shape: str) -> None:
    """And inputs of 15 bits, which is where it differs from transformers with these weights."""
    model = model_of(shape)
    rounded = AutoModelForCausalLM.from_config(model.config).eval()
    state = model.state_dict()
    is_gpt2 = model.config.model_type == "gpt2"
    for name, weight in state.items():
        if weight.ndim == 2 and "wpe" not in name:
            rows = weight.T if is_gpt2 and ".h." in name else weight
            scale = rows.abs().amax(1, keepdim=True).clamp_min(1e-12) / 127
            rows = (rows / scale).round() * scale
            state[name] = rows.T if is_gpt2 and ".h." in name else rows
    rounded.load_state_dict(state)
    ids = some_ids(CONTEXT)
    expected = reference(rounded, ids)
    file = pack(tensors_of(model), model.config, "int8")
    assert not file.is_exact
    found = logits_of(core_of(file.content), ids)
    assert np.abs(found - expected).max() < 1e-3 * np.abs(expected).max()


@pytest.mark.parametrize("weights", ["fp16", "fp32"])
@pytest.mark.parametrize("shape", SHAPES)
def test_greedy_tokens_are_those_of_generate(shape: str, weights: str) -> None:
    model, core = model_of(shape), core_of(packed(shape, weights).content, 4)
    for seed in range(5):
        prompt = some_ids(8, seed).tolist()
        options = {"do_sample": False, "max_new_tokens": 50, "eos_token_id": -1, "pad_token_id": 0}
        with torch.inference_mode():
            expected = model.generate(torch.tensor([prompt]), **options)[0, 8:].tolist()
        assert greedy(core, prompt, 50) == expected


def greedy(core: Core, prompt: list[int], count: int) -> list[int]:
    """The likeliest token again and again."""
    chunk = Chunk(0, 0, prompt, range(len(prompt) - 1, len(prompt)))
    found: list[int] = []
    while len(found) < count:
        found.append(int(core.step([chunk], questions_of(1, temperature=0))["id"][0]))
        chunk = Chunk(0, len(prompt) + len(found) - 1, found[-1:], range(1))
    return found


@pytest.mark.parametrize("shape", ["gpt2", "qwen3-grouped"])
def test_inputs_beyond_fp16_are_numbers(shape: str) -> None:
    """Where halves have no instruction, the input of a product is made 2^112 times larger."""
    model = model_of(shape)
    tensors = tensors_of(model)
    names = [name for name in tensors if name.endswith(("ln_f.weight", "norm.weight"))]
    name = next(name for name in names if name.count(".") <= 2)
    ids = some_ids(9)
    usual = logits_of(core_of(pack(tensors, model.config).content), ids)
    tensors[name] = tensors[name] * np.float32(2**18)
    bias = name.replace("weight", "bias")
    if bias in tensors:
        tensors[bias] = tensors[bias] * np.float32(2**18)
    large = logits_of(core_of(pack(tensors, model.config).content), ids)
    assert np.array_equal(large, usual * np.float32(2**18))


@pytest.mark.parametrize("shape", ["gpt2", "qwen3-grouped"])
def test_a_slot_borrows_its_beginning(shape: str) -> None:
    """And gets a copy of it before its owner writes something else there."""
    core = core_of(packed(shape).content, 2)
    ids, shared = some_ids(30), 19
    expected = logits_of(core, ids)

    def rest() -> np.ndarray:
        return logits_of(core, ids[shared:], slot=1, first=shared)

    core.borrow(0, 1, shared)
    assert np.array_equal(rest(), expected[shared:])
    logits_of(core, [*ids[:shared], *some_ids(10, seed=1)])  # the owner goes on otherwise
    assert np.array_equal(rest(), expected[shared:])
    core.own(1)
    logits_of(core, some_ids(30, seed=2))
    assert np.array_equal(rest(), expected[shared:])


def test_a_step_is_as_wide_in_python_as_in_c() -> None:
    header = Path(library.__file__).with_name("core.h").read_text("utf-8")
    defined = re.search(r"#define COLUMNS (\d+)", header)
    assert defined is not None and int(defined[1]) == library.COLUMNS
