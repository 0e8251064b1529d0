"""Random models of every shape that the core computes, as transformers has them, and the core's
machines: the library's variants for this processor, and its WebAssembly."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from playground.core import library
from playground.core.library import QUESTION, Chunk, Core
from playground.core.pack import Packed, pack

IDS, CONTEXT = 500, 64
SIZES = {
    "hidden_size": 40,
    "intermediate_size": 52,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
}
SHAPES: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 36, "n_layer": 2, "n_head": 3, "n_positions": CONTEXT},
    "llama": SIZES | {"num_key_value_heads": 4, "tie_word_embeddings": False},
    "llama-grouped": SIZES | {"num_key_value_heads": 2, "rope_theta": 500.0},
    "qwen3": SIZES | {"num_key_value_heads": 4, "head_dim": 24, "tie_word_embeddings": True},
    "qwen3-grouped": SIZES | {"num_key_value_heads": 1, "head_dim": 14},
}
MACHINES = ("plain", "avx2", "avx512", "wasm")


@cache
def model_of(shape: str) -> Any:
    """A model whose weights are fp16's; most rows of its table are the same."""
    torch.manual_seed(0)
    kind = shape.split("-")[0]
    sizes = SHAPES[shape] | {"vocab_size": IDS, "bos_token_id": 0, "eos_token_id": 0}
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes)).eval()
    with torch.no_grad():
        for weight in model.parameters():
            scale = 0.2 if weight.ndim == 1 else 0.3
            weight.copy_((weight + scale * torch.randn_like(weight)).half().float())
        table = model.get_input_embeddings().weight
        table[IDS // 2 : IDS - 1] = table[IDS // 2]
    return model


def tensors_of(model: Any) -> dict[str, np.ndarray]:
    return {name: tensor.numpy() for name, tensor in model.state_dict().items()}


def packed(shape: str, weights: str = "auto") -> Packed:
    model = model_of(shape)
    return pack(tensors_of(model), model.config, weights)


def some_ids(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, IDS, count)


def core_of(content: bytes, slots: int = 1, context: int = CONTEXT, threads: int = 1) -> Core:
    """The core with a model file and room for stories."""
    core = Core(content, threads)
    core.reserve(slots, context)
    return core


def questions_of(count: int, **settings: Any) -> np.ndarray:
    """Questions with neutral settings but some."""
    questions = np.zeros(count, QUESTION)
    neutral = {
        "temperature": 1,
        "top_p": 1,
        "repetition_penalty": 1,
        "known": -1,
        "alternatives": 10,
    }
    for name, value in (neutral | settings).items():
        questions[name] = value
    return questions


def logits_of(core: Core, ids: Any, slot: int = 0, first: int = 0) -> np.ndarray:
    """(tokens, ids) after each token of a text."""
    chunk = Chunk(slot, first, list(ids), range(len(ids)))
    return core.logits([chunk])[:, core.head.unique_of]


@contextmanager
def machine(name: str) -> Iterator[None]:
    """Compute with one of `MACHINES`; skip the test where the processor lacks it."""
    with pytest.MonkeyPatch.context() as patch:
        if name == "wasm":
            patch.setattr(library, "native_functions", lambda: None)
            yield
            return
        file = ctypes.CDLL(str(library.library_file()))
        number = MACHINES.index(name)
        if not hasattr(file, "core_variant") or file.core_variant(number) != number:
            pytest.skip(f"this processor has no {name}")
        try:
            yield
        finally:
            file.core_variant(-1)
