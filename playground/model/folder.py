"""Opens an export, checks it, and holds what the decode loop needs of it.

An export is a standard transformers folder. Weights are read from safetensors only; nothing is run
that a folder brings along. The shapes that the trainer exports (GPT-2, Llama, Qwen3) are decoded by
our own loop (decoder.py); any other causal model by transformers' (transformers_decoder.py).
"""

from __future__ import annotations

import codecs
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from transformers import AutoTokenizer

from playground.model.device import choose_device

OWN_SHAPES = ("gpt2", "llama", "qwen3")


@dataclass(frozen=True)
class ModelInfo:
    """What there is to know about a model; None where its folder does not say."""

    name: str
    parameters: int
    context: int
    vocabulary: int
    corpus: str
    stories: int | None = None
    corpus_tokens: int | None = None
    tokens_seen: int | None = None
    perplexity: float | None = None
    bits_per_byte: float | None = None
    license: str | None = None


class ModelFolder:
    """A model folder that was found good.

    Attributes:
        folder: where it is.
        config: the content of config.json.
        weights: the tensors of its safetensors by name, as they are stored.
        tokenizer: the folder's own.
        end: the id that ends a story, or None.
        start: the id before a story, or None.
        facts: for people.
        fingerprint: SHA-256 of weights, configuration and tokenizer, in hexadecimal.
        device: where it computes.
    """

    def __init__(self, folder: Path, device: torch.device) -> None:
        self.folder = folder
        self.device = device
        self.config = read_config(folder)
        self.tokenizer = open_tokenizer(folder)
        training = read_training(folder)
        self.weights = read_weights(folder, training)
        self.end = self.tokenizer.eos_token_id
        start = self.tokenizer.bos_token_id
        self.start = self.end if start is None else start
        self.fingerprint = fingerprint_of(folder)
        self.facts = facts_of(folder, self.config, self.weights, training)
        self._bytes = byte_table(self.tokenizer)
        self._silent = {self.end, *self.tokenizer.all_special_ids}

    @classmethod
    def open(cls, folder: str | Path, *, device: str = "auto") -> ModelFolder:
        """The model in `folder`.

        Raises:
            ValueError: the folder is missing, incomplete or damaged; one sentence.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ValueError(f"there is no model folder {folder}: give one that trainer exported.")
        return cls(folder, choose_device(device))

    @property
    def is_own_shape(self) -> bool:
        """Whether our own loop decodes it."""
        config = self.config
        heads = config.get("num_attention_heads", 0)
        plain = (
            config.get("num_key_value_heads", heads) == heads
            and not config.get("attention_bias")
            and not config.get("mlp_bias")
            and config.get("hidden_act", "silu") == "silu"
            and config.get("activation_function", "gelu_new") == "gelu_new"
            and rope_type(config) == "default"
            and not config.get("use_sliding_window")
            and not config.get("scale_attn_by_inverse_layer_idx")
            and not config.get("quantization_config")
        )
        return config["model_type"] in OWN_SHAPES and plain

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without the token before a story."""
        return list(self.tokenizer(text, add_special_tokens=False).input_ids)

    def decode(self, ids: list[int]) -> str:
        """The text of some ids; letters that are not whole become question marks in a diamond."""
        return str(self.tokenizer.decode(ids, clean_up_tokenization_spaces=False))

    def label(self, token_id: int) -> str:
        """One token for people: its text, or its bytes in angle brackets if they are no text."""
        piece = self.piece(token_id)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return f"<{piece.hex(' ')}>"

    @property
    def is_byte_level(self) -> bool:
        """Whether tokens are strings of bytes, as GPT-2's are."""
        return self._bytes is not None

    def piece(self, token_id: int) -> bytes:
        """The UTF-8 bytes that a token stands for; none for the story's end."""
        if token_id in self._silent:
            return b""
        if self._bytes is not None:
            return self._bytes[token_id] if token_id < len(self._bytes) else b""
        # Not a byte-level tokenizer: the token's text after a neutral one, so that the space
        # before a word is kept.
        around = self.tokenizer.decode([token_id, token_id])
        once = self.tokenizer.decode([token_id])
        return str(around)[len(str(once)) :].encode()


class IncrementalDecoder:
    """Joins tokens to text as they come; holds a letter back until all its bytes are there."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def add(self, piece: bytes) -> str:
        """The text that these bytes complete."""
        return self._decoder.decode(piece)


def read_config(folder: Path) -> dict[str, Any]:
    """config.json of a folder."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ValueError(f"{folder} is not a model folder: it has no config.json.") from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{file} cannot be read: export the model again.") from None
    if not isinstance(config, dict) or not isinstance(config.get("model_type"), str):
        raise ValueError(f"{file} does not name a model_type: export the model again.")
    return config


def open_tokenizer(folder: Path) -> Any:
    """The folder's own tokenizer, from its files alone."""
    if not any((folder / name).is_file() for name in ("tokenizer.json", "vocab.json")):
        raise ValueError(f"{folder} has no tokenizer: copy tokenizer.json into it.")
    try:
        return AutoTokenizer.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises many kinds
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ValueError(f"the tokenizer in {folder} cannot be read: {reason}") from None


def read_weights(folder: Path, training: dict[str, Any]) -> dict[str, torch.Tensor]:
    """All tensors of the folder's safetensors: numbers, and those that were exported,
    if `training` says which."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(f"{folder} has no weights: model.safetensors is missing.")
    weights: dict[str, torch.Tensor] = {}
    exported = part(training.get("files"))
    for file in files:
        if file.name in exported and exported[file.name] != sha256(file):
            raise ValueError(f"{file} is not what was exported: copy or export the model again.")
        try:
            with safe_open(file, framework="pt") as stored:
                weights |= {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError):
            raise ValueError(
                f"{file} is damaged or cut off: copy or export the model again."
            ) from None
    for name, weight in weights.items():
        if weight.is_floating_point() and not torch.isfinite(weight).all():
            raise ValueError(f"{folder}: {name} holds what is no number: export the model again.")
    return weights


def sha256(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with file.open("rb") as content:
        while piece := content.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def read_training(folder: Path) -> dict[str, Any]:
    """training.json, or nothing where it cannot be read: it is for people."""
    try:
        return part(json.loads((folder / "training.json").read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError):
        return {}


def fingerprint_of(folder: Path) -> str:
    """SHA-256 of all that decides what a model says."""
    digest = hashlib.sha256()
    names = ("config.json", "tokenizer.json")
    for file in [*sorted(folder.glob("*.safetensors")), *(folder / name for name in names)]:
        if file.is_file():
            digest.update(f"{file.name} {file.stat().st_size}\n".encode())
            with file.open("rb") as content:
                while piece := content.read(1 << 20):
                    digest.update(piece)
    return digest.hexdigest()


def facts_of(
    folder: Path,
    config: dict[str, Any],
    weights: dict[str, torch.Tensor],
    training: dict[str, Any],
) -> ModelInfo:
    """What training.json says, and what the weights show by themselves."""
    corpus, judged = part(training.get("corpus")), part(training.get("validation"))
    context = config.get("max_position_embeddings") or config.get("n_positions") or 0
    return ModelInfo(
        name=known(training, "name", str) or folder.resolve().name,
        parameters=sum(tensor.numel() for tensor in weights.values()),
        context=int(context),
        vocabulary=int(config.get("vocab_size", 0)),
        corpus=known(corpus, "name", str) or "",
        stories=known(corpus, "stories", int),
        corpus_tokens=known(corpus, "tokens", int),
        tokens_seen=known(training, "tokens_seen", int),
        perplexity=known(judged, "perplexity", (int, float)),
        bits_per_byte=known(judged, "bits_per_byte", (int, float)),
        license=known(training, "license", str),
    )


def known(values: dict[str, Any], name: str, kind: Any) -> Any:
    """A value of its kind, or None."""
    value = values.get(name)
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def part(value: Any) -> dict[str, Any]:
    """A JSON object; an empty one in place of anything else."""
    return value if isinstance(value, dict) else {}


def rope_type(config: dict[str, Any]) -> str:
    """How the rotary positions are scaled; "default" is not at all."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    return str(rope.get("rope_type") or rope.get("type") or "default")


def byte_table(tokenizer: Any) -> list[bytes] | None:
    """The bytes of every id of a byte-level tokenizer such as GPT-2's; None for other kinds."""
    byte_of = byte_letters()
    pieces = tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))
    special = set(tokenizer.all_special_tokens)
    table = []
    for piece in pieces:
        if piece is None or piece in special:
            table.append(b"")
        elif all(letter in byte_of for letter in piece):
            table.append(bytes(byte_of[letter] for letter in piece))
        else:
            return None
    return table


def byte_letters() -> dict[str, int]:
    """The letter that GPT-2's vocabulary writes for each byte, as a map back (Radford et al. 2019):
    printable Latin-1 stands for itself, the others for the letters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [number for number in range(256) if number not in printable]
    return {chr(number): number for number in printable} | {
        chr(0x100 + place): number for place, number in enumerate(others)
    }
