"""A story to give away, with everything in it that could be taken for something else."""

from __future__ import annotations

import pytest

from playground.sampling import Settings
from playground.stories.permalink import Run
from playground.stories.shared_story import SharedStory, Word, shared_story

HOSTILE = '<script>alert("x")</script> & \x00\x1b[31m {{7*7}} ${x} *bold* [a](javascript:b) 🦊'


@pytest.fixture
def hostile() -> SharedStory:
    """A story in which every sign is text."""
    words = [
        Word("Once upon", by_model=False),
        Word(" a time", by_model=False, surprise=0.1),
        Word(f" {HOSTILE}", by_model=True, surprise=9.0),
        Word(".\n\nThe end", by_model=True, surprise=3.0),
        Word(".", by_model=True, surprise=0.2),
    ]
    return shared_story(
        words,
        [Run(Settings(top_p=0.9, seed=7))],
        model="tiny",
        link="https://example.org/s/" + "Ab_-9" * 80,
        title=f"My {HOSTILE}",
        author="Lily <b>",
    )
