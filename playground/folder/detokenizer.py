"""Incremental detokenization: token by token, with the same text as the tokenizer's `decode`.

The text of a token depends on the type of the tokenizer, which its decoder names:

- byte-level (GPT-2, Llama 3, Pythia): a token is a string of bytes, independent of its neighbours.
  An added token such as two spaces is its own text, unless each of its characters encodes a byte;
- all others (SentencePiece, Unigram, WordPiece, whole words): the text depends on the token before,
  so the tokenizer decodes both. With byte fallback `<0xF0>` is one byte of a character.
"""

from __future__ import annotations

import codecs
import json
import re
from functools import cached_property, lru_cache

from playground.folder.tokenizer import Tokenizer

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
PAIRS = 20_000  # pairs of tokens whose text is cached


def replace_each_byte(error: UnicodeError) -> tuple[str, int]:
    """Replace each invalid byte by U+FFFD, as byte fallback does; "replace" has one U+FFFD for all
    bytes of a broken character, as byte-level decoders do."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("replace-each-byte", replace_each_byte)


class Detokenizer:
    """Decodes the tokens of a tokenizer.

    Attributes:
        silent: ids that add nothing to a text, such as the end token.
        is_byte_level: whether tokens are strings of bytes, as GPT-2's are.
    """

    def __init__(self, tokenizer: Tokenizer, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self.silent = ends | tokenizer.special
        kinds = decoder_kinds(tokenizer)
        self.is_byte_level = bool(kinds) and set(kinds) <= {"ByteLevel", "Fuse"}
        self._has_byte_tokens = "ByteFallback" in kinds
        self.errors = "replace-each-byte" if self._has_byte_tokens else "replace"
        self._bytes: dict[int, bytes] = {}
        self._after = lru_cache(PAIRS)(self._text_after)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes that a token adds after a word; b"" for a silent token."""
        if token_id not in self._bytes:
            self._bytes[token_id] = self.added(token_id, self._word)
        return self._bytes[token_id]

    def added(self, token_id: int, before: int | None) -> bytes:
        """Return the bytes that a token adds after the token `before`; None for the first token."""
        if token_id in self.silent:
            return b""
        byte = self._byte(token_id)
        if byte is not None:
            return byte
        if before is not None and self._byte(before) is not None:
            before = self._word
        return self._after(token_id, before).encode()

    def bytes_of_tokens(self, count: int) -> list[bytes]:
        """Return `token_bytes` of the first `count` ids, decoded in one batch."""
        backend = self._tokenizer.backend_tokenizer
        if self.is_byte_level:
            token, silent = self._tokenizer.token, self.silent
            return [
                b"" if token_id in silent else bytes_of(token(token_id) or "")
                for token_id in range(count)
            ]
        if backend is not None and self._word is not None:
            word = self._tokenizer.decode([self._word])
            missing = [token_id for token_id in range(count) if token_id not in self._bytes]
            texts = backend.decode_batch([[self._word, token_id] for token_id in missing])
            for token_id, text in zip(missing, texts, strict=True):
                if text.startswith(word) and self._byte(token_id) is None:
                    piece = b"" if token_id in self.silent else text[len(word) :].encode()
                    self._bytes[token_id] = piece
        return [self.token_bytes(token_id) for token_id in range(count)]

    def has_no_text(self, token_id: int) -> bool:
        """Return whether a token has no text: it is silent, or beyond the tokenizer's ids, as the
        last rows of an embedding that is padded to a round size."""
        return token_id in self.silent or self._tokenizer.token(token_id) is None

    def _byte(self, token_id: int) -> bytes | None:
        """Return the bytes of a token that encodes bytes; None for a token of text."""
        if not self.is_byte_level and not self._has_byte_tokens:
            return None
        token = self._tokenizer.token(token_id)
        if self.is_byte_level:
            return bytes_of(token or "")
        match = BYTE_TOKEN.fullmatch(token or "")
        return bytes([int(match[1], 16)]) if match else None

    def _text_after(self, token_id: int, before: int | None) -> str:
        if before is None:
            return self._tokenizer.decode([token_id])
        first, both = self._tokenizer.decode([before]), self._tokenizer.decode([before, token_id])
        return both[len(first) :] if both.startswith(first) else self._tokenizer.decode([token_id])

    @cached_property
    def _word(self) -> int | None:
        """Return a word's token, after which other tokens are decoded."""
        ids = self._tokenizer.encode("a")
        return next((token_id for token_id in reversed(ids) if token_id not in self.silent), None)


class IncrementalDecoder:
    """Joins tokens to text one by one; holds a character back until all its bytes are there."""

    def __init__(self, detokenizer: Detokenizer) -> None:
        self._detokenizer = detokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors=detokenizer.errors)
        self._before: int | None = None

    def add(self, token_id: int) -> str:
        """Return the text that this token completes."""
        detokenizer = self._detokenizer
        if detokenizer.is_byte_level:
            return self._decoder.decode(detokenizer.token_bytes(token_id))
        if detokenizer.has_no_text(token_id):
            return ""
        piece = detokenizer.added(token_id, self._before)
        self._before = token_id
        return self._decoder.decode(piece)


def decoder_kinds(tokenizer: Tokenizer) -> list[str]:
    """Return the types of a tokenizer's decoding steps, as in tokenizer.json; [] if it only joins
    tokens with spaces, or is not of the library `tokenizers`."""
    decoder = tokenizer.backend_tokenizer and tokenizer.backend_tokenizer.decoder
    if decoder is None:
        return []
    state = json.loads(decoder.__getstate__())
    return [step["type"] for step in state.get("decoders", [state])]


def bytes_of(token: str) -> bytes:
    """Return the bytes of a token of a byte-level vocabulary. A token with a character that does
    not encode a byte is an added token, and is its own text."""
    if BYTES_ONLY.fullmatch(token):
        return token.translate(CHARACTER_TO_BYTE).encode("latin-1")
    return token.encode()


def character_to_byte() -> dict[int, int]:
    """Return the byte of each character of GPT-2's byte encoding (Radford et al. 2019): printable
    Latin-1 characters encode themselves, and those from U+0100 on the remaining bytes."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [number for number in range(256) if number not in printable]
    return {number: number for number in printable} | {
        0x100 + index: number for index, number in enumerate(others)
    }


CHARACTER_TO_BYTE = character_to_byte()
BYTES_ONLY = re.compile(f"[{re.escape(''.join(map(chr, CHARACTER_TO_BYTE)))}]*")
