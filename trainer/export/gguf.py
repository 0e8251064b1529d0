"""An export as one GGUF file, for llama.cpp and what is built on it: Ollama, LM Studio, xllamacpp.

Names and order of the weights are those of the `gguf` package, which llama.cpp's own converters
use. Norms, biases and positions stay fp32; the matrices become fp16, exactly if the export is fp16,
or 8 bits in blocks of 32 with a scale each (q8_0).
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from safetensors import safe_open

from trainer.corpus.tokenizer import pre_tokenizer_name

if TYPE_CHECKING:
    from transformers import PretrainedConfig

TYPES = ("f16", "q8_0")
BLOCK = 32  # values that share a scale in q8_0


def export_gguf(folder: Path, file: Path, kind: str = "f16") -> Path:
    """Write the export in `folder` to `file`; it is there whole or not at all.

    Raises:
        ValueError: the folder is no export of ours, or the package gguf is not installed.
    """
    try:
        import gguf
    except ModuleNotFoundError:
        raise ValueError(
            "writing GGUF needs the package gguf, which is not installed: pip install gguf"
        ) from None
    if kind not in TYPES:
        raise ValueError(f"--type must be one of {', '.join(TYPES)}, not {kind!r}")
    config, weights = read_export(folder)
    partial = file.with_name(f"{file.name}.partial")
    try:
        writer = gguf.GGUFWriter(partial, config.model_type)
        add_shape(writer, config)
        add_tokenizer(writer, folder, config.eos_token_id, gguf)
        types = gguf.GGMLQuantizationType
        writer.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind.upper()}"])
        names = gguf.get_tensor_name_map(
            gguf.MODEL_ARCH[config.model_type.upper()], config.num_hidden_layers
        )
        for name, value in weights.items():
            value = as_llama_cpp_has_it(name, value, config)
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
        os.replace(partial, file)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    return file


def read_export(folder: Path) -> tuple[PretrainedConfig, dict[str, np.ndarray]]:
    """Configuration and weights of an export."""
    from transformers import AutoConfig

    if not (folder / "config.json").is_file() or not (folder / "tokenizer.json").is_file():
        raise ValueError(f"{folder} is no export: it needs config.json and tokenizer.json")
    config = AutoConfig.from_pretrained(folder, local_files_only=True)
    if config.model_type not in ("gpt2", "llama", "qwen3"):
        raise ValueError(f"{folder} holds a {config.model_type}: use llama.cpp's own converter")
    weights: dict[str, np.ndarray] = {}
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(file, "np") as opened:
            weights |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return config, weights


def as_llama_cpp_has_it(name: str, value: np.ndarray, config: PretrainedConfig) -> np.ndarray:
    """A weight in llama.cpp's order: GPT-2's matrices are stored the other way round, and its Llama
    turns neighbouring values of a head where transformers turns its two halves."""
    if re.search(r"\.(c_attn|c_proj|c_fc)\.weight$", name):
        return np.ascontiguousarray(value.T)
    if config.model_type == "llama" and name.endswith(("q_proj.weight", "k_proj.weight")):
        heads, width = config.num_attention_heads, value.shape[0] // config.num_attention_heads
        halves = value.reshape(heads, 2, width // 2, -1).swapaxes(1, 2)
        return np.ascontiguousarray(halves.reshape(value.shape))
    return value


def add_shape(writer: Any, config: PretrainedConfig) -> None:
    """What llama.cpp has to know of the network."""
    width = config.hidden_size // config.num_attention_heads
    writer.add_name(Path(str(config.name_or_path)).name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    if config.model_type == "gpt2":
        writer.add_feed_forward_length(config.n_inner or 4 * config.hidden_size)
        writer.add_layer_norm_eps(config.layer_norm_epsilon)
        return
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_key_length(width)
    writer.add_value_length(width)
    writer.add_rope_dimension_count(width)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_vocab_size(config.vocab_size)


def add_tokenizer(writer: Any, folder: Path, end_of_text: int, gguf: Any) -> None:
    """The export's tokenizer, and that a text begins with the end-of-text token.

    Raises:
        ValueError: it parts words in a way of its own, for which llama.cpp has no name.
    """
    content = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    words = pre_tokenizer_name(content)
    if words is None:
        raise ValueError(
            f"the tokenizer in {folder} parts words in its own way, which GGUF cannot name: it has "
            "GPT-2's way and that of corpus.tokenizer train:N"
        )
    vocabulary = content["model"]["vocab"] | {
        token["content"]: token["id"] for token in content["added_tokens"]
    }
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    special = {token["id"] for token in content["added_tokens"]}
    kinds = gguf.TokenType
    merges = content["model"]["merges"]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(words)
    writer.add_token_list(tokens)
    writer.add_token_types(
        [kinds.CONTROL if number in special else kinds.NORMAL for number in range(len(tokens))]
    )
    writer.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in merges])
    for add in (writer.add_bos_token_id, writer.add_eos_token_id, writer.add_pad_token_id):
        add(end_of_text)
    writer.add_add_bos_token(True)
