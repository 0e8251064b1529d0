"""The language of a story, by its letters and its small words; the page finds the same."""

from __future__ import annotations

import json

import pytest

from playground.stories.language import language_of
from tests.paths import ROOT

KNOWN = json.loads((ROOT / "tests/web/story_languages.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("text", "code", "direction"), KNOWN)
def test_a_language_is_found(text: str, code: str, direction: str) -> None:
    assert language_of(text) == (code, direction)
