"""A book: whose it is, and how many stories it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from playground.stories.booklet import booklet
from playground.stories.shared_story import SharedStory


def test_a_book_is_its_classs_or_its_authors(hostile: SharedStory) -> None:
    by = [replace(hostile, author=name) for name in ("Lily", "", "Tom", "Lily")]
    assert booklet(by, author="Class 4b").by == "Class 4b"
    assert booklet(by).by == "Lily and Tom"
    assert booklet([replace(hostile, author="")]).by == "tiny"
    many = [replace(hostile, author=f"Child {k}") for k in range(7)]
    assert booklet(many).by == "Child 0, Child 1, Child 2 and 4 others"
    assert booklet(by).title == hostile.title
    assert booklet(by, title=" Ours ").title == "Ours"


@pytest.mark.parametrize("count", [0, 101])
def test_a_book_has_a_story_and_not_too_many(hostile: SharedStory, count: int) -> None:
    with pytest.raises(ValueError, match=f"1 to 100 stories, not {count}"):
        booklet([hostile] * count)
