"""Open the tokenizer of a folder, from tokenizer.json with the library `tokenizers`.

As in AutoTokenizer, the special tokens of tokenizer_config.json are added. AutoTokenizer itself
converts the files of folders without tokenizer.json.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tokenizers

from playground.folder.json_file import read_json
from playground.folder.libraries import transformers_for
from playground.sentences import first_line

EXTRA = ("additional_special_tokens", "extra_special_tokens")


class Tokenizer:
    """A tokenizer: texts to token ids and back.

    Attributes:
        backend_tokenizer: a `tokenizers.Tokenizer`; `json.loads(backend_tokenizer.to_str())` is the
            content of tokenizer.json with the special tokens: `model.vocab` (token to id),
            `model.merges` (pairs), `added_tokens` (content, id, special). None for a tokenizer in
            Python.
        bos_token_id: the id that begins a text, or None.
        eos_token_id: the id that ends a text, or None.
        special: ids that add nothing to a text.
    """

    backend_tokenizer: tokenizers.Tokenizer | None

    def __init__(self, backend: tokenizers.Tokenizer, settings: Mapping[str, Any]) -> None:
        """`backend`: is modified; `settings`: of tokenizer_config.json."""
        self.backend_tokenizer = self._backend = backend
        backend.no_truncation()
        backend.no_padding()
        backend.encode_special_tokens = bool(settings.get("split_special_tokens"))
        existing = {token.content for token in backend.get_added_tokens_decoder().values()}
        named = special_tokens(settings)
        new = [*added_tokens(settings), *named.values()]
        backend.add_tokens([token for token in new if token.content not in existing])
        ids = {name: backend.token_to_id(token.content) for name, token in named.items()}
        self.bos_token_id, self.eos_token_id = ids.get("bos_token"), ids.get("eos_token")
        added = backend.get_added_tokens_decoder()
        self.special = frozenset(number for number, token in added.items() if token.special)
        self.special |= frozenset(number for number in ids.values() if number is not None)

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text, without special tokens around it."""
        return list(self._backend.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: list[int]) -> str:
        """Return the text of ids, without special tokens."""
        return self._backend.decode(ids)

    def token(self, token_id: int) -> str | None:
        """Return a token as it is in the vocabulary; None beyond its ids."""
        return self._backend.id_to_token(token_id)

    def get_vocab(self) -> dict[str, int]:
        """Return ids by token, with the added tokens."""
        return self._backend.get_vocab()


class PythonTokenizer(Tokenizer):
    """A tokenizer that transformers computes in Python."""

    def __init__(self, tokenizer: Any) -> None:
        """`tokenizer`: an object of transformers."""
        self.backend_tokenizer, self._tokenizer = None, tokenizer
        self.bos_token_id, self.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        added = tokenizer.added_tokens_decoder
        special = {token_id for token_id, token in added.items() if token.special}
        self.special = frozenset(special | set(tokenizer.all_special_ids))

    def encode(self, text: str) -> list[int]:
        """See `Tokenizer`."""
        return list(self._tokenizer(text, add_special_tokens=False).input_ids)

    def decode(self, ids: list[int]) -> str:
        """See `Tokenizer`."""
        return str(
            self._tokenizer.decode(
                ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )

    def token(self, token_id: int) -> str | None:
        """See `Tokenizer`."""
        token: str | None = self._tokenizer.convert_ids_to_tokens(token_id)
        return token

    def get_vocab(self) -> dict[str, int]:
        """See `Tokenizer`."""
        return dict(self._tokenizer.get_vocab())


def special_tokens(settings: Mapping[str, Any]) -> dict[str, tokenizers.AddedToken]:
    """Return the special tokens in tokenizer_config.json by name; those of a list by number."""
    values = {name: value for name, value in settings.items() if name.endswith("_token")}
    for name in EXTRA:
        others = settings.get(name) or ()
        values |= (
            others if isinstance(others, dict) else {f"{name} {k}": v for k, v in enumerate(others)}
        )
    return {
        name: added_token(value, special=True)
        for name, value in values.items()
        if value and isinstance(value, (str, dict))
    }


def added_tokens(settings: Mapping[str, Any]) -> list[tokenizers.AddedToken]:
    """Return the added tokens in tokenizer_config.json, in the order of their ids."""
    added = settings.get("added_tokens_decoder") or {}
    return [added_token(added[number]) for number in sorted(added, key=int)]


def added_token(value: str | dict[str, Any], *, special: bool = False) -> tokenizers.AddedToken:
    """Return the token for a string or an object in tokenizer_config.json."""
    flags = {} if isinstance(value, str) else dict(value)
    flags.pop("__type", None)
    content = value if isinstance(value, str) else flags.pop("content")
    return tokenizers.AddedToken(content, **{"special": special} | flags)


def open_tokenizer(folder: Path, config: Any) -> Tokenizer:
    """Return the tokenizer of a folder, from its files alone.

    Raises:
        ValueError: the tokenizer cannot be read.
    """
    file = folder / "tokenizer.json"
    auto = None
    if not file.is_file():
        auto = transformers_for(folder, "a tokenizer without tokenizer.json").AutoTokenizer
    try:
        if auto is None:
            return Tokenizer(tokenizers.Tokenizer.from_file(str(file)), settings_of(folder))
        opened = auto.from_pretrained(folder, config=config, local_files_only=True)
        backend = getattr(opened, "backend_tokenizer", None)
        if backend is None:
            return PythonTokenizer(opened)
        return Tokenizer(backend, opened.special_tokens_map)
    except Exception as error:  # the libraries raise many kinds
        raise ValueError(f"the tokenizer in {folder} cannot be read: {first_line(error)}") from None


def settings_of(folder: Path) -> dict[str, Any]:
    """Return the settings in tokenizer_config.json, and in special_tokens_map.json of older
    versions."""
    settings = read_json(folder / "tokenizer_config.json")
    if "added_tokens_decoder" not in settings:
        settings |= read_json(folder / "special_tokens_map.json")
    return settings
