"""Open and check a model folder: configuration, weights, tokenizer and facts.

An export is a standard transformers folder. Weights are read only from safetensors, and code in a
folder is never run. source.py resolves other names of models; decoder.py chooses the class that
computes a model.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from playground.folder.config import bos_id_of, context_of, eos_ids_of, read_config, suppressed_of
from playground.folder.detokenizer import Detokenizer, IncrementalDecoder
from playground.folder.device import choose_device
from playground.folder.history import Stage, read_history, snapshots_of
from playground.folder.json_file import read_json
from playground.folder.source import ADAPTER, find_folder, is_adapter
from playground.folder.stored_weights import StoredWeights, check_weights
from playground.folder.tokenizer import Tokenizer, open_tokenizer
from playground.folder.tokenizer_fingerprint import tokenizer_fingerprint

TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "tokenizer.model", "spiece.model")
LFS = b"version https://git-lfs.github.com/spec/"
MARKS = ("\n", ".")  # put before a text in the middle of a story, tried in this order


@dataclass(frozen=True)
class ModelInfo:
    """Facts about a model, None if unknown. `ends`: whether it has an end token; `history`: stories
    that it wrote during training."""

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
    ends: bool = True
    history: tuple[Stage, ...] = ()


class ModelFolder:
    """An opened model folder that passed all checks.

    Attributes:
        folder: the path of the model or of the adapter.
        base: the path of an adapter's base model; otherwise `folder`.
        config: a `config.Config` if the core computes the model, else an object of transformers'
            own class, with the same names.
        weights: arrays by name, as stored (bf16 as fp32), read on access
            (`stored_weights.StoredWeights`); for an adapter a dict of the merged ones.
        tokenizer: the folder's own, a `tokenizer.Tokenizer`. Vocabulary, merges and added tokens
            are in `json.loads(tokenizer.backend_tokenizer.to_str())`.
        eos_ids: the ids that end a story; if empty, every story has its full length.
        bos_id: the id before a story.
        suppressed: ids that are never generated.
        suppressed_at_first: ids that are not generated as the first token.
        facts: for people.
        snapshots: the folder of its run's snapshots, or None.
        fingerprint: SHA-256 of weights, configuration and tokenizer, in hexadecimal.
        device: "cpu" or "cuda:N".
    """

    def __init__(
        self,
        folder: Path,
        device: str,
        base: str | Path | None = None,
        name: str | None = None,
        tokenizer_of: ModelFolder | None = None,
    ) -> None:
        """`base`: replaces the base that an adapter names; `name`: used if training.json has none;
        `tokenizer_of`: the model whose tokenizer a folder without a tokenizer uses."""
        self.folder = self.base = folder
        self.snapshots = snapshots_of(folder)
        self.device = device
        training = read_json(folder / "training.json")  # for people: it may be missing
        self.weights: Mapping[str, np.ndarray]
        self.tokenizer: Tokenizer
        if is_adapter(folder):
            from playground.folder.adapter import base_of, merged_weights

            self.base = base_of(folder, base)
            self.config = read_config(self.base)
            self.weights = merged_weights(folder, self.base)
        else:
            self.config = read_config(folder)
            self.weights = stored = stored_weights(folder, training)
            is_quantized = getattr(self.config, "quantization_config", None) is not None
            check_weights(folder, stored, is_quantized=is_quantized)
        own = any((folder / name).is_file() for name in TOKENIZERS)
        self._tokenizer_folder = folder if own else self.base
        if not own and tokenizer_of is not None:
            self._tokenizer_folder = tokenizer_of._tokenizer_folder
            self.tokenizer = tokenizer_of.tokenizer
        else:
            check_tokenizer_files(self._tokenizer_folder)
            self.tokenizer = open_tokenizer(self._tokenizer_folder, self.config)
        self.eos_ids = eos_ids_of(self.base, self.config, self.tokenizer)
        self.bos_id = bos_id_of(self.base, self.tokenizer)
        ids = range(self.config.get_text_config(decoder=True).vocab_size)
        self.suppressed = suppressed_of(self.base, "suppress_tokens", ids)
        self.suppressed_at_first = suppressed_of(self.base, "begin_suppress_tokens", ids)
        self.fingerprint = fingerprint_of(folder, self.base)
        self.facts = facts_of(
            name or folder.resolve().name, self.config, self.weights, training,
            ends=bool(self.eos_ids), history=read_history(folder),
        )  # fmt: skip
        self._detokenizer = Detokenizer(self.tokenizer, self.eos_ids)

    @classmethod
    def open(
        cls, name: str | Path, *, device: str = "auto", base: str | Path | None = None
    ) -> ModelFolder:
        """Open a model by its name: a folder, or a repository on the Hub. `base` replaces the base
        model that a LoRA adapter names.

        Raises:
            ValueError: the folder is missing, incomplete or damaged.
        """
        return cls(find_folder(name), choose_device(device), base, Path(name).resolve().name)

    def encode(self, text: str, *, begins: bool = True) -> list[int]:
        """Return the ids of a text, without the token before a story. If the text does not begin
        the story, the space that some tokenizers put before every text is left out."""
        if begins or not self._begins_with_space:
            return self.tokenizer.encode(text)
        ids = self._ids_after_mark(text)
        return self.tokenizer.encode(text) if ids is None else ids

    @cached_property
    def tokenizer_fingerprint(self) -> str:
        """Return the fingerprint of the tokenizer (tokenizer_fingerprint.py), in hexadecimal."""
        file = self._tokenizer_folder / "tokenizer.json"
        if file.is_file():
            return tokenizer_fingerprint(file)
        backend = self.tokenizer.backend_tokenizer
        if backend is None:  # a tokenizer in Python
            content = json.dumps({"model": {"vocab": self.tokenizer.get_vocab()}})
        else:
            content = backend.to_str()
        return tokenizer_fingerprint(content.encode())

    @property
    def is_byte_level(self) -> bool:
        """Return whether tokens are strings of bytes, independent of their neighbours."""
        return self._detokenizer.is_byte_level

    @cached_property
    def joins_spaces(self) -> bool:
        """Return whether tokens include the space before their word."""
        return self.token_bytes((self.tokenizer.encode("a a") or [-1])[-1]).startswith(b" ")

    @cached_property
    def _begins_with_space(self) -> bool:
        return self._ids_after_mark("a") not in (None, self.tokenizer.encode("a"))

    def _ids_after_mark(self, text: str) -> list[int] | None:
        """Return the ids of a text after a mark; None if a token spans both."""
        for mark in MARKS:
            before, both = self.tokenizer.encode(mark), self.tokenizer.encode(mark + text)
            if before and both[: len(before)] == before:
                return both[len(before) :]
        return None

    def incremental_decoder(self) -> IncrementalDecoder:
        """Return a decoder for a story's text, token by token."""
        return IncrementalDecoder(self._detokenizer)

    def label(self, token_id: int) -> str:
        """Return a token for display: its text, or its bytes in angle brackets if they are not
        text."""
        piece = self.token_bytes(token_id)
        try:
            return piece.decode()
        except UnicodeDecodeError:
            return f"<{piece.hex(' ')}>"

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes that a token adds after a word; b"" for the end token."""
        return self._detokenizer.token_bytes(token_id)

    def bytes_of_tokens(self, count: int) -> list[bytes]:
        """Return `token_bytes` of the first `count` ids."""
        return self._detokenizer.bytes_of_tokens(count)


def check_tokenizer_files(folder: Path) -> None:
    """Raise ValueError if a folder has no tokenizer's file, or a Git LFS pointer in its place."""
    if not any((folder / name).is_file() for name in TOKENIZERS):
        raise ValueError(f"{folder} has no tokenizer: copy tokenizer.json into it.")
    for name in TOKENIZERS:
        check_not_pointer(folder / name)


def stored_weights(folder: Path, training: dict[str, Any]) -> StoredWeights:
    """Return all tensors of a folder's safetensors, whose checksums must be those in `training`."""
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ValueError(f"{folder} has no weights: model.safetensors is missing.")
    exported = part(training.get("files"))
    for file in files:
        check_not_pointer(file)
        if file.name in exported and exported[file.name] != sha256(file):
            raise ValueError(f"{file} was changed after the export: copy or export it again.")
    return StoredWeights(files)


def check_not_pointer(file: Path) -> None:
    """Raise ValueError if a file is a Git LFS pointer."""
    with contextlib.suppress(OSError), file.open("rb") as content:
        if content.read(len(LFS)) == LFS:
            raise ValueError(
                f"{file} is a Git LFS pointer: fetch the file itself with `git lfs install && git "
                "lfs pull` in the repository."
            )


def sha256(file: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    add_file(digest, file)
    return digest.hexdigest()


def add_file(digest: Any, file: Path) -> None:
    """Add the content of a file to a digest."""
    with file.open("rb") as content:
        while chunk := content.read(1 << 20):
            digest.update(chunk)


def fingerprint_of(folder: Path, base: Path) -> str:
    """Return the SHA-256 of all files that determine what a model writes."""
    digest = hashlib.sha256()
    names = ("config.json", "tokenizer.json", ADAPTER)
    for path in [folder] if base == folder else [base, folder]:
        for file in [*sorted(path.glob("*.safetensors")), *(path / name for name in names)]:
            if file.is_file():
                digest.update(f"{file.name} {file.stat().st_size}\n".encode())
                add_file(digest, file)
    return digest.hexdigest()


def facts_of(
    name: str,
    config: Any,
    weights: Mapping[str, np.ndarray],
    training: dict[str, Any],
    *,
    ends: bool,
    history: tuple[Stage, ...],
) -> ModelInfo:
    """Return the facts in training.json, the configuration and the weights."""
    corpus, evaluation = part(training.get("corpus")), part(training.get("validation"))
    seen = typed(training, "tokens_seen", int)
    before = typed(part(training.get("started_from")), "tokens_seen", int)
    return ModelInfo(
        name=typed(training, "name", str) or name,
        parameters=parameters_of(weights),
        context=context_of(config),
        vocabulary=int(config.get_text_config(decoder=True).vocab_size),
        corpus=typed(corpus, "name", str) or "",
        ends=ends,
        history=history,
        stories=typed(corpus, "stories", int),
        corpus_tokens=typed(corpus, "tokens", int),
        tokens_seen=seen if seen is None else seen + (before or 0),
        perplexity=typed(evaluation, "perplexity", (int, float)),
        bits_per_byte=typed(evaluation, "bits_per_byte", (int, float)),
        license=typed(training, "license", str),
    )


def parameters_of(weights: Mapping[str, np.ndarray]) -> int:
    """Return the number of parameters."""
    if isinstance(weights, StoredWeights):
        return sum(place.size for place in weights.places.values())
    return sum(array.size for array in weights.values())


def typed(values: dict[str, Any], name: str, kind: Any) -> Any:
    """Return a value if it has the type `kind`, else None."""
    value = values.get(name)
    return value if isinstance(value, kind) and not isinstance(value, bool) else None


def part(value: Any) -> dict[str, Any]:
    """Return the value if it is a JSON object, else {}."""
    return value if isinstance(value, dict) else {}
