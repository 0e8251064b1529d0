"""A file's name keeps the letters of its title, and every system takes it."""

from __future__ import annotations

import unicodedata

import pytest

from playground.stories.file_name import LETTERS_MAX, file_name


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Ein Märchen", "ein-märchen"),
        ("Cafe\u0301", "café"),
        ("हिन्दी की कहानी", "हिन्दी-की-कहानी"),
        ("เรื่องเล่า", "เรื่องเล่า"),
        ("../../etc/passwd", "etc-passwd"),
        ("Dots...", "dots"),
        ("The end. ", "the-end"),
        ("…", "story"),
        ("", "story"),
        ("CON", "con-story"),
        ("nul.", "nul-story"),
        ("Com¹", "com¹-story"),
        ("lpt9", "lpt9-story"),
        ("Console", "console"),
    ],
)
def test_a_title_becomes_a_name(title: str, name: str) -> None:
    assert file_name(title) == name


def test_a_long_name_does_not_end_in_a_letter_without_its_marks() -> None:
    name = file_name("कि" * LETTERS_MAX)
    assert len(name) <= LETTERS_MAX and unicodedata.category(name[-1])[0] == "M"
    name = file_name("a" * (LETTERS_MAX - 1) + "कि")
    assert name == "a" * (LETTERS_MAX - 1)
