"""Tiny models of other people's architectures, random weights, with GPT-2's tokenizer."""

import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from tests.gpt2 import END_OF_TEXT, SIZE
from tests.paths import TOKENIZER

CONTEXT = 64
SHAPE: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "max_position_embeddings": CONTEXT,
    "tie_word_embeddings": True,
}
GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT}


def rotary(theta: float, kind: str = "default", **more: Any) -> dict[str, Any]:
    """Rotary positions."""
    return {"rope_parameters": {"rope_type": kind, "rope_theta": theta, **more}}


NEO = {
    "hidden_size": 32,
    "num_layers": 2,
    "num_heads": 4,
    "intermediate_size": None,
    "attention_types": [[["global", "local"], 1]],
    "window_size": 5,
    "max_position_embeddings": CONTEXT,
}
SMOLLM2 = SHAPE | rotary(1e5) | {"num_key_value_heads": 2, "rms_norm_eps": 1e-5}
QWEN3 = SHAPE | rotary(1e6) | {"num_key_value_heads": 2, "head_dim": 16}
NAMED: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-Neo": ("gpt_neo", NEO),
    "SmolLM2": ("llama", SMOLLM2),
    "Qwen3": ("qwen3", QWEN3),
}
OTHERS: dict[str, tuple[str, dict[str, Any]]] = {
    "GPT-2 without a scale": ("gpt2", GPT | {"scale_attn_weights": False}),
    "GPT-2 with ReLU": ("gpt2", GPT | {"activation_function": "relu", "n_inner": 48}),
    "OLMo-2": ("olmo2", SMOLLM2),
    "Llama with biases": ("llama", SMOLLM2 | {"attention_bias": True, "mlp_bias": True}),
    "Llama with GELU": ("llama", SMOLLM2 | {"hidden_act": "gelu"}),
    "Llama, linear positions": ("llama", SMOLLM2 | rotary(1e4, "linear", factor=2.0)),
    "Llama, YaRN": (
        "llama",
        SMOLLM2 | rotary(1e4, "yarn", factor=2.0, original_max_position_embeddings=32),
    ),
    "Llama 3": (
        "llama",
        SMOLLM2
        | rotary(
            1e4, "llama3", factor=2.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32,
        ),
    ),
}  # fmt: skip


def foreign_model(kind: str, sizes: dict[str, Any]) -> PreTrainedModel:
    """A model of random weights, large enough to be sure of something."""
    torch.manual_seed(3)
    ids = {"vocab_size": SIZE, "bos_token_id": END_OF_TEXT, "eos_token_id": END_OF_TEXT}
    config = AutoConfig.for_model(kind, **ids | {"initializer_range": 0.3} | sizes)
    model: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    return model


def save_with_gpt2s_tokenizer(model: Any, folder: Path) -> Path:
    """The model's folder."""
    model.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(TOKENIZER / name, folder)
    return folder
