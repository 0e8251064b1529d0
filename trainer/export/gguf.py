"""Write an export as a GGUF file, for llama.cpp and programs that use it: Ollama, LM Studio,
xllamacpp.

Names and order of the weights are those of the `gguf` package, which llama.cpp's own converters
use. Norms, biases and positions stay fp32; the matrices become fp16, exactly if the export is fp16,
or 8 bits in blocks of 32 with a scale each (q8_0).
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from trainer.corpus.tokenizer.tokenizer import pre_tokenizer_name
from trainer.settings.blocks import BLOCKS
from trainer.storage.atomic import atomic_file

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TYPES = ("f16", "q8_0")
BLOCK = 32  # values that share a scale in q8_0


def export_gguf(folder: Path, file: Path, kind: str = "f16") -> Path:
    """Write the export in `folder` to `file`, completely or not at all. Raises ValueError if
    the folder is not an export of ours, or the package gguf is not installed."""
    try:
        import gguf
    except ModuleNotFoundError:
        raise ValueError(
            "writing GGUF needs the package gguf, which is not installed: pip install gguf"
        ) from None
    if kind not in TYPES:
        raise ValueError(f"--type must be one of {', '.join(TYPES)}, not {kind!r}")
    config, weights = read_export(folder)
    with atomic_file(file) as partial:
        writer = gguf.GGUFWriter(partial, config.model_type)
        add_shape(writer, config)
        add_tokenizer(writer, folder, config, gguf)
        types = gguf.GGMLQuantizationType
        writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.upper()}"])
        names = gguf.get_tensor_name_map(
            gguf.MODEL_ARCH[config.model_type.upper()], config.num_hidden_layers
        )
        for name, value in weights.items():
            value = in_llama_cpp_order(name, value, config)
            target = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if target is None:
                raise ValueError(f"{folder} has a weight {name}, for which GGUF has no name")
            if value.ndim < 2 or ".wpe." in name:
                writer.add_tensor(target, value.astype(np.float32))
            elif kind == "q8_0" and value.shape[-1] % BLOCK == 0:
                packed = gguf.quants.quantize(value.astype(np.float32), types.Q8_0)
                writer.add_tensor(target, packed, raw_dtype=types.Q8_0)
            else:
                writer.add_tensor(target, value.astype(np.float16))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
    return file


def read_export(folder: Path) -> tuple[PretrainedConfig, dict[str, np.ndarray]]:
    """Return the configuration and the weights of an export."""
    from transformers import AutoConfig

    if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{folder} is not an export: it needs config.json and tokenizer.json")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    check_computed(folder, config)
    weights: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "np") as opened:
            weights |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    block = BLOCKS[config.model_type]
    if block.gguf_needs_head and config.tie_word_embeddings:
        weights["lm_head.weight"] = weights[f"model.{block.embedding}"]
    return config, weights


def check_computed(folder: Path, config: PretrainedConfig) -> None:
    """Raise ValueError for a model that llama.cpp does not know or computes differently."""
    supported = {name: block.gguf for name, block in BLOCKS.items() if block.gguf is not None}
    if config.model_type not in supported:
        raise ValueError(
            f"{folder} holds a {config.model_type}, which cannot be written as GGUF: "
            f"{', '.join(supported)} models can"
        )
    rotary = getattr(config, "rope_parameters", None) or {}
    wanted: dict[str, Any] = {**supported[config.model_type], "rope_type": "default"}
    stated = {name: getattr(config, name, value) for name, value in wanted.items()}
    stated["rope_type"] = rotary.get("rope_type", "default")
    for name, value in stated.items():
        if value != wanted[name]:
            raise ValueError(
                f"{folder} has {name} {value}, and GGUF is written for {wanted[name]} only: use "
                "llama.cpp's own converter"
            )


def in_llama_cpp_order(name: str, value: np.ndarray, config: PretrainedConfig) -> np.ndarray:
    """Return a weight in llama.cpp's order: GPT-2's matrices are transposed, and a Llama's rotation
    turns neighbouring values of a head where transformers turns its two halves. Keys may have fewer
    heads than queries."""
    if re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name):
        return np.ascontiguousarray(value.T)
    rotates_pairs = BLOCKS[config.model_type].gguf_rotates_pairs
    if rotates_pairs and name.endswith(("q_proj.weight", "k_proj.weight")):
        is_query = name.endswith("q_proj.weight")
        heads = config.num_attention_heads if is_query else config.num_key_value_heads
        width = value.shape[0] // heads
        halves = value.reshape(heads, 2, width // 2, -1).swapaxes(1, 2)
        return np.ascontiguousarray(halves.reshape(value.shape))
    return value


def add_shape(writer: Any, config: PretrainedConfig) -> None:
    """Add the shape of the model."""
    writer.add_name(Path(str(config.name_or_path)).name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if not BLOCKS[config.model_type].is_grouped:
        writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    width = getattr(config, "head_dim", config.hidden_size // config.num_attention_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer(writer: Any, folder: Path, config: PretrainedConfig, gguf: Any) -> None:
    """Add the export's tokenizer, which begins a text with the end-of-text token. Raises ValueError
    if llama.cpp has no name for its pre-tokenizer, or it is not the model's."""
    end_of_text = config.eos_token_id
    if not isinstance(end_of_text, int):
        raise ValueError(
            f"{folder} must name one eos_token_id in its config.json, not {end_of_text}: use "
            "llama.cpp's own converter"
        )
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    words = pre_tokenizer_name(content)
    if words is None:
        raise ValueError(
            f"the tokenizer in {folder} splits words in its own way, which GGUF cannot name: it "
            "has GPT-2's way, SmolLM's and that of corpus.tokenizer train:N"
        )
    vocabulary = content["model"]["vocab"] | {
        token["content"]: token["id"] for token in content["added_tokens"]
    }
    special = {token["id"] for token in content["added_tokens"]}
    kinds = gguf.TokenType
    tokens, types = [], []
    named = {number: token for token, number in vocabulary.items()}
    if max(named) >= config.vocab_size:
        raise ValueError(
            f"the tokenizer in {folder} has the id {max(named):,}, and the model has "
            f"{config.vocab_size:,} ids: they do not belong together"
        )
    for number in range(config.vocab_size):  # an embedding may have more rows than there are tokens
        tokens.append(named.get(number, f"[PAD{number}]"))
        kind = kinds.CONTROL if number in special else kinds.NORMAL
        types.append(kind if number in named else kinds.UNUSED)
    merges = content["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words)
    writer.add_token_list(tokens)
    writer.add_token_types(types)
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(end_of_text)
    writer.add_add_bos_token(True)
