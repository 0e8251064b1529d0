"""No story holds a broken character."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest

from playground.engine.characters import WELL_FORMED, Characters, begun, continues
from playground.engine.engine import Engine
from playground.folder.model_folder import ModelFolder
from playground.sampling import Settings

# Of every kind of byte that UTF-8 tells apart, the ends of its range.
BYTES = (
    0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xEC, 0xED,
    0xEE, 0xEF, 0xF0, 0xF1, 0xF3, 0xF4, 0xF5, 0xFF,
)  # fmt: skip
TOKENS = [bytes([number]) for number in range(256)] + [
    b"", b"\x9c", b"\x9cHe", b"\x9c\xe2\x80", b"\x80\x9cHe", b"\xa6\x8a", b"\x9f\xa6", b"\x9c\x9c",
]  # fmt: skip


def is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


@cache
def is_begun(content: bytes) -> bool:
    """Whether some bytes make one character of it, by trying."""
    rests = (
        bytes(rest)
        for count in (1, 2, 3)
        for rest in itertools.product((0x80, 0x90, 0xA0), repeat=count)
    )
    return bool(content) and any(
        is_text(content + rest) and len((content + rest).decode()) == 1 for rest in rests
    )


def test_what_is_begun_is_what_can_become_a_character() -> None:
    for content in map(bytes, itertools.product(BYTES, BYTES, BYTES[::2])):
        ends = (content[k:] for k in range(3))
        part = next((end for end in ends if is_begun(end)), b"")
        assert begun(content) == part, content
        whole = content[: len(content) - len(part)]
        assert (WELL_FORMED.fullmatch(content) is not None) == is_text(whole), content


@pytest.mark.parametrize("text", ["“", "é", "🦊", "狐", "\U0010ffff", "\ud7ff", "\ue000"])
def test_a_character_can_be_continued(text: str) -> None:
    characters, content = Characters(TOKENS), text.encode()
    for cut in range(1, len(content)):
        part, rest = begun(content[:cut]), content[cut:]
        assert part == content[:cut]
        allowed = set(range(len(TOKENS))) - set(characters.not_continuing(part).tolist())
        assert allowed == {k for k, token in enumerate(TOKENS) if continues(part, token)}
        assert TOKENS.index(rest[:1]) in allowed
    assert begun(content) == begun(b"x" + content + b"y") == b""


def test_nothing_begins_with_the_rest_of_a_character() -> None:
    characters = Characters([b"a", b"\x9d", b"\xe2\x80", b"\x9che", "é".encode(), b""])
    assert characters.not_continuing(b"").tolist() == [1, 3]


def test_a_vocabulary_without_the_rest_of_a_character_bans_nothing() -> None:
    assert len(Characters([b"a", b"\xe2\x80", b"\xe2"]).not_continuing(b"\xe2\x80")) == 0


@pytest.mark.parametrize("words", [(), ("fox",)])
def test_stories_hold_no_broken_character(storyteller: ModelFolder, words: tuple[str, ...]) -> None:
    """Of a model that has learned nothing, after the first half of a quotation mark."""
    half = next(k for k in range(storyteller.bos_id) if storyteller.token_bytes(k) == b"\xe2\x80")
    first = storyteller.encode("One day")
    with Engine(storyteller, max_streams=32) as engine:
        for seed in range(32):
            settings = Settings(
                length=8, seed=seed, temperature=2, top_k=0, banned_words=words, stop_at_end=True
            )
            with engine.extend(first, "", settings, token_id=half) as stream:
                tokens = list(stream)
            content = b"".join(storyteller.token_bytes(token.token_id) for token in tokens)
            assert content[2:3] and 0x80 <= content[2] <= 0xBF
            chosen = np.array([token.chosen_probability for token in tokens])
            assert ((chosen > 0) & (chosen <= 1)).all()
