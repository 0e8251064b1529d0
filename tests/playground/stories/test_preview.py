"""The picture that chats show of a link: its size, and never boxes alone."""

from __future__ import annotations

import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from playground.stories import preview
from playground.stories.preview import BODY, SIZE, TITLE, draw, drawable, font, lines
from playground.stories.shared_story import SharedStory
from tests.paths import ROOT

STORIES = json.loads((ROOT / "tests/web/stories.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("row", STORIES, ids=[row[0][:20] for row in STORIES])
def test_every_story_has_a_picture_of_its_size(row: list) -> None:
    text = row[2] if isinstance(row[2], str) else row[2]["text"] * row[2]["repeat"]
    story = SharedStory(text, "tiny", "")
    image = Image.open(io.BytesIO(draw(story)))
    assert image.format == "PNG" and image.size == SIZE
    assert image.info["Description"] == story.alternative
    ink = (np.asarray(image.convert("L")) < 100).sum()
    assert ink > 500  # letters


def test_letters_that_the_typeface_lacks_are_left_out() -> None:
    letters = font("literata", TITLE, 600)
    assert drawable("The 🦊 fox", letters) == "The fox"
    assert drawable("Jörg, ñ, Æ, Żaneta", letters) == "Jörg, ñ, Æ, Zaneta"
    for text in ("小狐狸 Tom", "ثعلب", "लोमड़ी", "🦊", "\ue000"):
        assert drawable(text, letters) == ""
    assert drawable("", letters) == ""


def test_a_title_without_its_letters_gives_way_to_the_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    titles = []
    monkeypatch.setattr(preview, "lines", lambda text, *_: titles.append(text) or iter([text]))
    draw(SharedStory("从前有一只小狐狸。", "storyteller", ""))
    assert titles == ["storyteller", "A story", "A story by storyteller"]


def test_lines_fit_and_the_last_says_that_there_is_more() -> None:
    letters = font("literata", BODY, 400)
    for text in ("The fox ran home. " * 40, "x" * 400):
        found = list(lines(text, letters, 600, 3))
        assert len(found) <= 3 and found[-1].endswith("…")
        assert all(letters.getlength(line) <= 600 for line in found)
    assert list(lines("The fox.", letters, 600, 3)) == ["The fox."]
    assert list(lines("", letters, 600, 3)) == []


def test_pillow_alone_opens_the_typeface(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pillow's FreeType reads woff2 by itself."""
    for name in ("brotli", "_brotli", "fontTools"):
        monkeypatch.setitem(sys.modules, name, None)
    font.cache_clear()
    assert drawable("fox", font("source-sans", 26, 600)) == "fox"
