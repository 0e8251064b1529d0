"""Text that comes token by token is what the tokenizer decodes of the whole, for every kind."""

from __future__ import annotations

import random
from functools import cache

import pytest

from playground.folder.detokenizer import Detokenizer, IncrementalDecoder
from playground.folder.tokenizer import Tokenizer
from tests.playground.folder.tokenizers_in_the_wild import END, KINDS, SENTENCES

COUNT = 2_000
ODD = ["🦊", "é", "你好", "كان", "  ", "\n", "\t", "…", "don't", ".", "!?", "▁", "##s", "</w>",
       "<0x41>", "Ġ", "fôx", "\u0120moon", "👩‍👩‍👧", "a\u0301"]  # fmt: skip


def opened(kind: str) -> Tokenizer:
    """A small tokenizer of a kind."""
    return Tokenizer(KINDS[kind](), {"bos_token": END, "eos_token": END})


@cache
def strings() -> list[str]:
    """Words, signs and letters of many scripts in all orders, with and without spaces."""
    words = [*" ".join(SENTENCES).split(), *ODD]
    draw = random.Random(0)
    return [
        draw.choice(["", " "]).join(draw.choices(words, k=draw.randint(1, 8))) for _ in range(COUNT)
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_streamed_text_is_the_decoded_text(kind: str) -> None:
    tokenizer = opened(kind)
    end = tokenizer.eos_token_id
    assert end is not None
    detokenizer = Detokenizer(tokenizer, frozenset([end]))
    for ids in map(tokenizer.encode, strings()):
        stream = IncrementalDecoder(detokenizer)
        beyond = len(tokenizer.get_vocab()) + 5  # of a table that is larger than the vocabulary
        streamed = "".join(map(stream.add, [*ids[:2], beyond, *ids[2:], end]))
        assert streamed == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "byte" in kind or "Sent" in kind])
def test_nothing_of_a_text_is_lost_where_the_vocabulary_knows_bytes(kind: str) -> None:
    tokenizer = opened(kind)
    detokenizer = Detokenizer(tokenizer, frozenset())
    stream = IncrementalDecoder(detokenizer)
    text = "A 🦊 said: 你好, café…"
    streamed = "".join(map(stream.add, tokenizer.encode(text)))
    assert streamed.lstrip(" ") == text


@pytest.mark.parametrize("kind", KINDS)
def test_many_pieces_at_once_are_the_pieces(kind: str) -> None:
    tokenizer = opened(kind)
    one, many = (Detokenizer(tokenizer, frozenset()) for _ in range(2))
    count = len(tokenizer.get_vocab())
    assert many.bytes_of_tokens(count) == [one.token_bytes(token) for token in range(count)]


def test_broken_letters_show_signs_and_do_not_stop_the_text() -> None:
    for kind in ("byte-level", "SentencePiece"):
        tokenizer = opened(kind)
        detokenizer = Detokenizer(tokenizer, frozenset())
        fox = tokenizer.encode("🦊")[-4:]
        (word,) = tokenizer.encode("a")
        for ids in ([fox[0], word], [*fox[:3], word], [*fox[1:], word], [*fox[:2], *fox, word]):
            stream = IncrementalDecoder(detokenizer)
            streamed = "".join(map(stream.add, ids))
            assert streamed.endswith("a")
            assert "\ufffd" in streamed
            if kind == "byte-level" or ids.count(fox[0]) < 2:  # else its whole run is signs
                assert streamed == tokenizer.decode(ids)
