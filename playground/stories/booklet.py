"""Several stories as one book: what a class wrote, with a cover and its contents."""

from __future__ import annotations

from dataclasses import dataclass

from playground.stories.shared_story import SharedStory, given

STORIES_MAX = 100


@dataclass(frozen=True)
class Booklet:
    """A book of stories, in their order.

    Attributes:
        title: what it is called.
        author: whose it is, a class for instance; "" for those who wrote its stories.
    """

    title: str
    author: str
    stories: tuple[SharedStory, ...]

    @property
    def by(self) -> str:
        """Whose it is, in one line."""
        if self.author:
            return self.author
        authors = list(dict.fromkeys(story.author for story in self.stories if story.author))
        if not authors:
            return " and ".join(dict.fromkeys(story.model for story in self.stories))
        if len(authors) > 4:
            return f"{', '.join(authors[:3])} and {len(authors) - 3} others"
        return ", ".join(authors[:-1]) + (" and " if authors[1:] else "") + authors[-1]


def booklet(stories: list[SharedStory], *, title: str = "", author: str = "") -> Booklet:
    """The book of these stories. Without a title it has its first story's.

    Raises:
        ValueError: there is no story, or too many.
    """
    if not 1 <= len(stories) <= STORIES_MAX:
        raise ValueError(f"a book has 1 to {STORIES_MAX} stories, not {len(stories)}.")
    return Booklet(given(title) or stories[0].title, given(author), tuple(stories))
