"""A story that is being written: the engine's side of it and the reader's."""

from __future__ import annotations

import queue
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from playground.model.folder import Letters
from playground.sampling import Settings
from playground.stories.story import Story, Token


@dataclass
class Work:
    """A story at work: the engine's side of a stream.

    Attributes:
        ids: all its tokens, the one before the story and the prompt first.
        first: index in `ids` of the oldest token in the window.
        fed: tokens of the window that are in the cache.
        scored: tokens before this index of `ids` have their record, or need none.
        count: tokens that are still to be written.
        place: where the cache holds it; None while it waits.
        ahead: where the cache holds the window that comes next, while that is prepared.
        ready: tokens of that window that are in the cache.
    """

    settings: Settings
    ids: list[int]
    count: int
    position: int
    scored: int
    letters: Letters = field(default_factory=Letters)
    out: queue.SimpleQueue[Token | BaseException | None] = field(default_factory=queue.SimpleQueue)
    first: int = 0
    fed: int = 0
    place: int | None = None
    ahead: int | None = None
    ready: int = 0
    gone: bool = False
    ended: bool = False


class Stream:
    """A story as it is being written: an iterator of its tokens.

    Closing it, leaving its `with`, or dropping it frees its place at the engine's next step.
    """

    def __init__(self, work: Work, story: Story) -> None:
        self._work = work
        self._story = story
        self._tokens: list[Token] = []
        self._closed = False
        self.done = False
        self._finalizer = weakref.finalize(self, leave, work)

    def __iter__(self) -> Iterator[Token]:
        return self

    def __next__(self) -> Token:
        """The next token; waits for it.

        Raises:
            StopIteration: the story is at its end, or the stream was closed.
            RuntimeError: the engine failed.
        """
        if self.done:
            raise StopIteration
        return self._accept(self._work.out.get())

    def take(self) -> list[Token]:
        """The tokens that are there by now, without waiting."""
        found = []
        while not self.done:
            try:
                found.append(self._accept(self._work.out.get_nowait()))
            except (queue.Empty, StopIteration):
                break
        return found

    def _accept(self, item: Token | BaseException | None) -> Token:
        if isinstance(item, Token):
            self._tokens.append(item)
            return item
        self.done = True
        if item is not None:
            raise RuntimeError("the model stopped working; start the playground again") from item
        raise StopIteration

    @property
    def story(self) -> Story:
        """The record so far, the story that was continued included."""
        tokens = (*self._story.tokens, *self._tokens)
        return replace(self._story, tokens=tokens, ended=self._work.ended and self.done)

    def close(self) -> None:
        """Stop writing. What was written and not yet read still counts as the story's."""
        leave(self._work)
        self.take()
        self.done = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def leave(work: Work) -> None:
    """The reader is gone."""
    work.gone = True
