"""A byte-level BPE tokenizer, from its tokenizer.json.

GPT-2's tokenizer ships with the project, in gpt2/. Any other comes from a file or was learned from
the stories (learn_tokenizer.py), and is stored in its token stores. A story ends with the token
`<|endoftext|>`, which every tokenizer here has.

Decoding needs only NumPy and the standard library; libraries for encoding are imported at use.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import tiktoken
    import tokenizers
    from transformers import PreTrainedTokenizerBase

GPT2 = Path(__file__).parent / "gpt2"
FILE = "tokenizer.json"
END_OF_TEXT_MARK = "<|endoftext|>"
MOST_IDS = 2**16  # a token store has 16 bits per id
# GPT-2's pre-tokenization (openai/gpt-2, src/encoder.py), with possessive quantifiers.
GPT2_PATTERN = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
BYTE_LEVEL = {
    "type": "ByteLevel",
    "add_prefix_space": False,
    "trim_offsets": True,
    "use_regex": True,
}
# The pre-tokenization of learned tokenizers: Qwen3.5's, with vowel signs as part of a word. GPT-2's
# splits Hindi words at each vowel sign.
PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
    r"|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
OWN_PRE_TOKENIZER: dict[str, Any] = {
    "type": "Sequence",
    "pretokenizers": [
        {
            "type": "Split",
            "pattern": {"Regex": PATTERN},
            "behavior": "Isolated",
            "invert": False,
        },
        BYTE_LEVEL | {"use_regex": False},
    ],
}
PROBE = (
    "Once upon a time, Zoe\u0308's CAT said:\n\n  \u201c12 \u0915\u093f\u0924\u093e\u092c!\u201d\t"
)


@dataclass(frozen=True)
class Tokenizer:
    """A tokenizer, by the `content` of its tokenizer.json."""

    content: bytes

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of tokenizer.json, in hexadecimal."""
        return hashlib.sha256(self.content).hexdigest()

    @functools.cached_property
    def described(self) -> dict[str, Any]:
        """The parsed content of tokenizer.json."""
        described: dict[str, Any] = json.loads(self.content)
        return described

    @functools.cached_property
    def end_of_text(self) -> int:
        """The id of the token that ends every story."""
        added = {token["content"]: token["id"] for token in self.described["added_tokens"]}
        return int(added[END_OF_TEXT_MARK])

    @property
    def size(self) -> int:
        """The number of ids."""
        return len(self.token_bytes)

    @property
    def is_gpt2(self) -> bool:
        """Whether this is GPT-2's tokenizer, which ships with the project."""
        return self.digest == gpt2().digest

    @property
    def name(self) -> str:
        """The tokenizer's name and size, for people."""
        return f"{'GPT-2' if self.is_gpt2 else 'its own (byte-level BPE)'}, {self.size:,} ids"

    @functools.cached_property
    def token_bytes(self) -> tuple[bytes, ...]:
        """The bytes of each id's text; empty for special tokens."""
        vocabulary = self.described["model"]["vocab"]
        added = {
            token["id"]: b"" if token["special"] else token["content"].encode()
            for token in self.described["added_tokens"]
        }
        byte_of = {char: byte for byte, char in byte_characters().items()}
        table = [b""] * (max(*vocabulary.values(), *added) + 1)
        for token, number in vocabulary.items():
            if number not in added:
                table[number] = bytes(byte_of[char] for char in token)
        for number, text in added.items():
            table[number] = text
        return tuple(table)

    def decode(self, ids: np.ndarray) -> str:
        """Return the text of some ids of one story, (n,)."""
        token_bytes = self.token_bytes
        return b"".join(token_bytes[number] for number in ids.tolist()).decode(errors="replace")

    def encode(self, stories: list[str]) -> np.ndarray:
        """Return the ids of some stories, each with its end: (tokens,) uint16."""
        if self.is_gpt2:
            joined = "".join(story + END_OF_TEXT_MARK for story in stories)
            return self.tiktoken.encode_to_numpy(joined, allowed_special="all").astype("<u2")
        encoded = self.backend.encode_batch_fast(stories, add_special_tokens=False)
        rows = [[*story.ids, self.end_of_text] for story in encoded]
        return np.fromiter((number for row in rows for number in row), dtype="<u2")

    @functools.cached_property
    def tiktoken(self) -> tiktoken.Encoding:
        """GPT-2's tokenizer in tiktoken, which encodes fastest and releases Python's lock."""
        import tiktoken

        ranks = {token: rank for rank, token in enumerate(self.token_bytes[: self.end_of_text])}
        return tiktoken.Encoding(
            "gpt2",
            pat_str=GPT2_PATTERN,
            mergeable_ranks=ranks,
            special_tokens={END_OF_TEXT_MARK: self.end_of_text},
        )

    @functools.cached_property
    def backend(self) -> tokenizers.Tokenizer:
        """The tokenizer in the library `tokenizers`; an end-of-text mark inside a story is
        encoded as plain text."""
        import tokenizers

        backend = tokenizers.Tokenizer.from_buffer(self.content)
        backend.encode_special_tokens = True
        return backend

    def stock(self) -> PreTrainedTokenizerBase:
        """Return the tokenizer as one of transformers."""
        import tokenizers
        from transformers import PreTrainedTokenizerFast

        marks = dict.fromkeys(("bos_token", "eos_token", "unk_token"), END_OF_TEXT_MARK)
        return PreTrainedTokenizerFast(
            tokenizer_object=tokenizers.Tokenizer.from_buffer(self.content), **marks
        )


@functools.cache
def gpt2() -> Tokenizer:
    """Return the tokenizer that ships with the project."""
    return Tokenizer((GPT2 / FILE).read_bytes())


def read_tokenizer(path: str) -> Tokenizer:
    """Return the tokenizer of a tokenizer.json, or of a folder with one.

    Truncation, padding, templates and dropout are removed. Raises ValueError if there is no such
    file, or the tokenizer is not a lossless byte-level BPE.
    """
    file = Path(path).expanduser()
    file = file / FILE if file.is_dir() else file
    name = f"corpus.tokenizer {path}"
    way = "learn one from the stories with train:4096, say"
    try:
        described = json.loads(file.read_text(encoding="utf-8"))
        model = described["model"]
        kind, vocabulary = str(model["type"]), set(model["vocab"])
        added = {token["content"] for token in described["added_tokens"]}
    except OSError:
        raise ValueError(f"{name} cannot be read: give gpt2, a tokenizer.json, or {way}") from None
    except (ValueError, LookupError, TypeError):
        raise ValueError(f"{name} is not a tokenizer.json of `tokenizers`: {way}") from None
    if kind != "BPE" or not set(byte_characters().values()) <= vocabulary:
        raise ValueError(f"{name} is {kind}, not byte-level BPE with all 256 bytes: {way}")
    if END_OF_TEXT_MARK not in added:
        raise ValueError(f"{name} has no added token {END_OF_TEXT_MARK} to end a story: {way}")
    described |= {"truncation": None, "padding": None}
    described["post_processor"] = BYTE_LEVEL | {"trim_offsets": False}
    model["dropout"] = None
    tokenizer = Tokenizer(json_bytes(described))
    try:
        size = tokenizer.size
        decoded = tokenizer.decode(tokenizer.encode([PROBE])) if size <= MOST_IDS else PROBE
    except Exception as error:  # the library raises plain `Exception`
        raise ValueError(f"{name} cannot be used ({error}): {way}") from None
    if size > MOST_IDS:
        raise ValueError(
            f"{name} has {size:,} ids, and a token store has room for {MOST_IDS:,}: {way}"
        )
    if decoded != PROBE:
        raise ValueError(f"{name} does not give a text back as it was: {way}")
    return gpt2() if tokenizer.described == gpt2().described else tokenizer


def end_of_text_token(number: int) -> dict[str, Any]:
    """Return the added token that ends a story, as in tokenizer.json."""
    return {
        "id": number,
        "content": END_OF_TEXT_MARK,
        "single_word": False,
        "lstrip": False,
        "rstrip": False,
        "normalized": True,
        "special": True,
    }


def json_bytes(content: dict[str, Any]) -> bytes:
    """Return the content of a tokenizer.json, in one line."""
    return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def pre_tokenizer_name(described: dict[str, Any]) -> str | None:
    """Return llama.cpp's name for the pre-tokenizer of a tokenizer.json; None unless it is GPT-2's,
    SmolLM's or our own."""
    stated = described["pre_tokenizer"]
    if stated == OWN_PRE_TOKENIZER:
        return "qwen35"
    if is_byte_level(stated):
        return "gpt-2"
    steps = (stated or {}).get("pretokenizers") or []
    digits = {"type": "Digits", "individual_digits": True}
    is_smollm = len(steps) == 2 and steps[0] == digits and is_byte_level(steps[1])
    return "smollm" if is_smollm else None


def is_byte_level(step: dict[str, Any] | None) -> bool:
    """Return whether a pre-tokenizer is GPT-2's."""
    return step is not None and step["type"] == "ByteLevel" and bool(step.get("use_regex", True))


def byte_characters() -> dict[int, str]:
    """Return the printable character that stands for each byte in tokenizer.json: printable
    Latin-1 characters for themselves, characters from U+0100 on for all other bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = (byte for byte in range(256) if byte not in printable)
    return {byte: chr(byte) for byte in printable} | {
        byte: chr(0x100 + index) for index, byte in enumerate(hidden)
    }
