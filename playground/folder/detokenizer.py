"""Tokens to text as they come, equal to the tokenizer's own decoding of all of them.

What a token adds to a text depends on the kind of tokenizer, which its decoder names:

- byte-level (GPT-2, Llama 3, Pythia): a token is a string of bytes, whatever is around it. An added
  token such as two spaces is its own text, unless each of its letters stands for a byte;
- all others (SentencePiece, Unigram, WordPiece, whole words): what it adds after the token before
  it, which the tokenizer is asked for. With byte fallback `<0xF0>` is a byte of a letter.
"""

from __future__ import annotations

import codecs
import json
import re
from functools import cached_property, lru_cache

from playground.folder.tokenizer import Tokenizer

BYTE_TOKEN = re.compile(r"<0x([0-9A-F]{2})>")
PAIRS = 20_000  # of neighbouring tokens whose text is remembered


def sign_for_each_byte(error: UnicodeError) -> tuple[str, int]:
    """What byte fallback makes of bytes that are not a character; a byte-level decoder has one sign
    for all bytes of a broken character."""
    assert isinstance(error, UnicodeDecodeError)
    return "\ufffd" * (error.end - error.start), error.end


codecs.register_error("sign-for-each-byte", sign_for_each_byte)


class Detokenizer:
    """The bytes or text of each token of a tokenizer.

    Attributes:
        silent: ids that add nothing to a text, such as the story's end.
        is_byte_level: whether tokens are strings of bytes, as GPT-2's are.
    """

    def __init__(self, tokenizer: Tokenizer, ends: frozenset[int]) -> None:
        self._tokenizer = tokenizer
        self.silent = ends | tokenizer.special
        kinds = decoder_kinds(tokenizer)
        self.is_byte_level = bool(kinds) and set(kinds) <= {"ByteLevel", "Fuse"}
        self._has_byte_tokens = "ByteFallback" in kinds
        self.errors = "sign-for-each-byte" if self._has_byte_tokens else "replace"
        self._bytes: dict[int, bytes] = {}
        self._after = lru_cache(PAIRS)(self._text_after)

    def token_bytes(self, token_id: int) -> bytes:
        """Return the UTF-8 bytes that a token adds after another word; none for a silent one."""
        found = self._bytes.get(token_id)
        if found is None:
            found = self._bytes[token_id] = self.added(token_id, self._word)
        return found

    def added(self, token_id: int, before: int | None) -> bytes:
        """Return the bytes that a token adds after the token `before`; None if it is the text's
        first."""
        if token_id in self.silent:
            return b""
        byte = self._byte(token_id)
        if byte is not None:
            return byte
        if before is not None and self._byte(before) is not None:
            before = self._word
        return self._after(token_id, before).encode()

    def bytes_of_tokens(self, count: int) -> list[bytes]:
        """`token_bytes` of the first `count` ids, many at once."""
        backend = self._tokenizer.backend_tokenizer
        if self.is_byte_level:
            token, silent = self._tokenizer.token, self.silent
            return [
                b"" if token_id in silent else bytes_of(token(token_id) or "")
                for token_id in range(count)
            ]
        if backend is not None and self._word is not None:
            alone = self.text([self._word])
            missing = [token_id for token_id in range(count) if token_id not in self._bytes]
            texts = backend.decode_batch([[self._word, token_id] for token_id in missing])
            for token_id, text in zip(missing, texts, strict=True):
                if text.startswith(alone) and self._byte(token_id) is None:
                    piece = b"" if token_id in self.silent else text[len(alone) :].encode()
                    self._bytes[token_id] = piece
        return [self.token_bytes(token_id) for token_id in range(count)]

    def says_nothing(self, token_id: int) -> bool:
        """Return whether the token has no text: it is silent, or beyond the tokenizer's ids, as the
        last rows of a table that was padded to a round size."""
        return token_id in self.silent or self._tokenizer.token(token_id) is None

    def stream(self) -> IncrementalDecoder:
        """Return a text that begins."""
        return IncrementalDecoder(self)

    def text(self, ids: list[int]) -> str:
        """Return the tokenizer's own text of ids."""
        return self._tokenizer.decode(ids)

    def _byte(self, token_id: int) -> bytes | None:
        """Return the bytes of a token that stands for some; None if it stands for a text."""
        if not self.is_byte_level and not self._has_byte_tokens:
            return None
        token = self._tokenizer.token(token_id)
        if self.is_byte_level:
            return bytes_of(token or "")
        match = BYTE_TOKEN.fullmatch(token or "")
        return bytes([int(match[1], 16)]) if match else None

    def _text_after(self, token_id: int, before: int | None) -> str:
        if before is None:
            return self.text([token_id])
        alone, both = self.text([before]), self.text([before, token_id])
        return both[len(alone) :] if both.startswith(alone) else self.text([token_id])

    @cached_property
    def _word(self) -> int | None:
        """Return a token that is a word, to look at what others add after it."""
        ids = self._tokenizer.encode("a")
        return next((token_id for token_id in reversed(ids) if token_id not in self.silent), None)


class IncrementalDecoder:
    """Joins tokens to text as they come; holds a letter back until all its bytes are there."""

    def __init__(self, detokenizer: Detokenizer) -> None:
        self._detokenizer = detokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors=detokenizer.errors)
        self._before: int | None = None

    def add(self, token_id: int) -> str:
        """Return the text that this token completes."""
        its = self._detokenizer
        if its.is_byte_level:
            return self._decoder.decode(its.token_bytes(token_id))
        if its.says_nothing(token_id):
            return ""
        piece = its.added(token_id, self._before)
        self._before = token_id
        return self._decoder.decode(piece)


def decoder_kinds(tokenizer: Tokenizer) -> list[str]:
    """Return the kinds of the steps in which a tokenizer decodes, as in tokenizer.json; none where
    it just puts spaces between its tokens, or is not of the library `tokenizers`."""
    decoder = tokenizer.backend_tokenizer and tokenizer.backend_tokenizer.decoder
    if decoder is None:
        return []
    state = json.loads(decoder.__getstate__())
    return [step["type"] for step in state.get("decoders", [state])]


def bytes_of(token: str) -> bytes:
    """Return the bytes of a token of a byte-level vocabulary. One with a letter that stands for no
    byte was added, and is its own text."""
    if BYTES_ONLY.fullmatch(token):
        return token.translate(LETTER_TO_BYTE).encode("latin-1")
    return token.encode()


def byte_letters() -> dict[int, int]:
    """Return the letter that GPT-2's vocabulary writes for each byte, as a map back (Radford et al.
    2019): printable Latin-1 stands for itself, the others for the letters from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [number for number in range(256) if number not in printable]
    return {number: number for number in printable} | {
        0x100 + index: number for index, number in enumerate(others)
    }


LETTER_TO_BYTE = byte_letters()
BYTES_ONLY = re.compile(f"[{re.escape(''.join(map(chr, LETTER_TO_BYTE)))}]*")
