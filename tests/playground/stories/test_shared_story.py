"""What other sites are given: titles, and texts that are cut at a sentence."""

from __future__ import annotations

import pytest

from playground.stories.shared_story import SharedStory, in_one_line, shortened


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("The moon was lonely.\nIt sang.", "The moon was lonely"),
        ("a\x00b\u202ec\ud800d", "a b c d"),
        (" \n", "A story"),
        (
            "Once upon a time, there was a little fox who lived in a tree.",
            "Once upon a time, there was a little fox who…",
        ),
    ],
)
def test_a_story_is_called_by_its_beginning(text: str, title: str) -> None:
    assert SharedStory(text, "tiny", "").title == title


def test_a_picture_says_what_is_on_it() -> None:
    story = SharedStory('<script>alert("x")</script>\n' + "The fox ran. " * 100, "tiny", "")
    assert story.alternative.startswith("“<script>alert")
    assert ", a story by tiny: <script>" in story.alternative
    assert "\n" not in story.alternative and len(story.alternative) < 700
    assert in_one_line(" a\t b\u2028c ") == "a b c"


def test_a_text_is_cut_at_a_sentence() -> None:
    text = 'The fox ran. "Stop!" said the bird. It flew away over the hills and the trees.'
    assert shortened(text, 200) == text
    assert shortened(text, 40) == 'The fox ran. "Stop!" said the bird.\u00a0…'
    assert shortened("word " * 40, 22) == "word word word word…"
    for most in range(2, len(text)):
        assert len(shortened(text, most)) <= most + 1
