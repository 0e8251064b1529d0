"""What people are given: titles, settings in words, texts that are cut at a sentence."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from playground.sampling import Settings
from playground.stories.permalink import Run
from playground.stories.shared_story import (
    SharedStory,
    Word,
    beginning,
    given,
    how,
    shared_story,
    shortened,
)


def test_a_story_is_called_by_its_beginning_or_as_somebody_says() -> None:
    words = [Word("The moon was lonely.\nIt sang.", by_model=True)]
    assert shared_story(words, [], model="tiny").title == "The moon was lonely"
    assert shared_story(words, [], model="tiny", title=" A  moon\n").title == "A moon"
    assert shared_story([], [], model="tiny").title == "A story"
    long = beginning("Once upon a time, there was a little fox who lived in a tree.")
    assert long == "Once upon a time, there was a little fox who…"
    assert len(given("x" * 500)) == 120
    assert given("a\x00b\u202ec\ud800d") == "a b c d"


def test_who_wrote_it(hostile: SharedStory) -> None:
    assert hostile.byline == "Lily <b> and tiny"
    assert replace(hostile, author="").byline == "tiny"
    assert hostile.alternative.startswith("“My <script>")
    assert "\n" not in hostile.alternative and len(hostile.alternative) < 700


def test_the_settings_in_words() -> None:
    one = Run(Settings(temperature=0.8, top_k=0, top_p=0.9, seed=7))
    assert how([]) == "written by hand"
    assert how([one]) == "temperature 0.8, top-k all, top-p 0.9, seed 7"
    assert how([one, one]) == how([one])
    other = replace(one, settings=replace(one.settings, seed=8))
    assert how([one, other]).endswith("seed 7, and 1 more")


@pytest.mark.parametrize(
    ("probability", "level"),
    [(0.9, 0), (0.5, 0), (0.3, 1), (0.1, 2), (0.02, 3), (0.002, 4), (0, 5)],
)
def test_surprise_has_the_levels_of_the_page(probability: float, level: int) -> None:
    assert Word("x", True, -math.log(max(probability, 1e-12))).level == level
    assert Word("x", True).level == 0


def test_a_text_is_cut_at_a_sentence() -> None:
    text = 'The fox ran. "Stop!" said the bird. It flew away over the hills and the trees.'
    assert shortened(text, 200) == text
    assert shortened(text, 40) == 'The fox ran. "Stop!" said the bird.\u00a0…'
    assert shortened("word " * 40, 22) == "word word word word…"
    for most in range(2, len(text)):
        assert len(shortened(text, most)) <= most + 1
