"""The story picture: its size, its code, and that every word that is drawn is on the paper."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
import zxingcpp
from PIL import Image

from playground.stories import picture
from playground.stories.shared_story import SharedStory, Word


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize("shape", picture.SHAPES)
@pytest.mark.parametrize("odds", [False, True])
def test_a_picture_has_its_size_and_a_code_that_cameras_read(
    hostile: SharedStory, shape: str, odds: bool
) -> None:
    image = opened(picture.draw(hostile, shape, odds))
    assert image.size == picture.SHAPES[shape]
    assert image.info["Description"] == hostile.alternative
    assert [code.text for code in zxingcpp.read_barcodes(image)] == [hostile.link]


def test_the_colours_of_surprise_are_the_pages(hostile: SharedStory) -> None:
    plain, tinted = (
        np.asarray(opened(picture.draw(hostile, "wide", odds))) for odds in (False, True)
    )
    unforeseen = np.array([0xEC, 0x9A, 0x6E])
    assert not (plain == unforeseen).all(-1).any()
    assert (tinted == unforeseen).all(-1).sum() > 1_000


@pytest.mark.parametrize("count", [0, 1, 400])
def test_any_length_of_story_is_drawn(hostile: SharedStory, count: int) -> None:
    words = tuple(
        Word(f" word{k}." if k % 9 else f" {'long' * 80}", bool(k % 2)) for k in range(count)
    )
    for shape in picture.SHAPES:
        image = opened(picture.draw(replace(hostile, words=words, link=""), shape))
        assert image.size == picture.SHAPES[shape]


def lines_of(story: SharedStory, column: int, height: int) -> list[str]:
    lines, _ = picture.fitting(story, column, height)
    return ["".join(part.text for part in line) for line in lines]


def test_lines_keep_the_text_and_their_width(hostile: SharedStory) -> None:
    lines, face = picture.fitting(hostile, 500, 2_000)
    assert "".join("".join(part.text for part in line) for line in lines).replace(" ", "") == (
        hostile.text.replace("\n", "").replace(" ", "")
    )
    assert all(line[-1].right <= 500 for line in lines if line)
    assert face.size == max(picture.SIZES)


def test_a_story_that_is_too_long_ends_with_a_sentence(hostile: SharedStory) -> None:
    words = tuple(Word(" The fox ran home" if k % 2 else ".", True) for k in range(1, 400))
    found = lines_of(replace(hostile, words=words), 800, 300)
    assert found[-1].endswith(".\u00a0…")
    assert len(found) >= 6


def test_there_are_two_shapes(hostile: SharedStory) -> None:
    with pytest.raises(ValueError, match="a picture is wide or tall, not 'round'"):
        picture.draw(hostile, "round")


def test_a_cover_is_as_tall_as_the_paper() -> None:
    image = opened(picture.cover("A title " * 30, "Class 4b " * 30, 12))
    assert image.size == picture.COVER
