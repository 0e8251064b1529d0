"""A story that is being written: the engine's side and the reader's."""

from __future__ import annotations

import queue
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from playground.core.library import MAX_ALTERNATIVES
from playground.engine.next_tokens import NextTokens
from playground.engine.token_healing import NO_SEAM, Seam
from playground.engine.words import WordsToUse
from playground.folder.detokenizer import IncrementalDecoder
from playground.sampling import Settings
from playground.stories.story import Story, Token


@dataclass
class Sequence:
    """A running story: the engine's side of a stream.

    Attributes:
        ids: all its tokens: the start token, the prompt, the story.
        first: index in `ids` of the oldest token in the window.
        num_cached: tokens of the window that are in the cache.
        scored: tokens before this index of `ids` have a record or need none.
        count: tokens still to be written, without those that only spell `begins_with`.
        decoder: has read the story so far.
        begins_with: bytes with which the next tokens must begin, such as the space before a word
            that a person typed already.
        word: ids of `begins_with` where that is a word, which stay as typed if the model finds it
            finished.
        bans_end: whether the next token must not be the story's end.
        words: positions of the words that the story should contain; None without such words.
        begins_at: index in `ids` of the first token that the model wrote in this run.
        alternatives: how many of the likeliest tokens a record holds.
        peeks: whether NextTokens are wanted instead of a token.
        slot: its slot of the cache; None while it waits.
        next_slot: the slot of the next window, while that is prepared.
        num_refilled: tokens of that window that are in the cache.
    """

    settings: Settings
    ids: list[int]
    count: int
    position: int
    scored: int
    decoder: IncrementalDecoder
    begins_with: bytes = b""
    word: tuple[int, ...] = ()
    bans_end: bool = False
    words: WordsToUse | None = None
    begins_at: int = 0
    alternatives: int = MAX_ALTERNATIVES
    peeks: bool = False
    out: queue.SimpleQueue[Token | NextTokens | BaseException | None] = field(
        default_factory=queue.SimpleQueue
    )
    first: int = 0
    num_cached: int = 0
    slot: int | None = None
    next_slot: int | None = None
    num_refilled: int = 0
    cancelled: bool = False
    ended: bool = False

    @property
    def written(self) -> int:
        """Return how many tokens the model wrote in this run."""
        return len(self.ids) - self.begins_at


class Stream:
    """A story as it is being written: an iterator of its tokens.

    Closing it, leaving its `with`, or dropping it frees its slot at the engine's next step.

    Attributes:
        typed: ids that a person chose after the story, without those of the seam; they come first.
        seam: the end of the typed text.
    """

    def __init__(
        self,
        sequence: Sequence,
        story: Story,
        *,
        typed: tuple[int, ...] = (),
        seam: Seam = NO_SEAM,
        of_prompt: int = 0,
    ) -> None:
        """`of_prompt`: tokens of the prompt, at most, that come first if the model finds its last
        word finished; the iterator leaves them out."""
        self.typed, self.seam = typed, seam
        self._sequence = sequence
        self._story = story
        self._of_prompt = of_prompt
        self._tokens: list[Token] = []
        self._closed = False
        self.done = False
        self._finalizer = weakref.finalize(self, leave, sequence)

    def __iter__(self) -> Iterator[Token]:
        return self

    def __next__(self) -> Token:
        """Wait for the next token and return it.

        Raises:
            StopIteration: the story is at its end, or the stream was closed.
            ValueError: the model computed NaN or infinity; the story ends here.
            RuntimeError: the engine failed.
        """
        while not self.done:
            token = self._accept(self._sequence.out.get())
            if token is not None:
                return token
        raise StopIteration

    def take(self) -> list[Token]:
        """Return the tokens that are there by now, without waiting."""
        tokens = []
        while not self.done:
            try:
                token = self._accept(self._sequence.out.get_nowait())
            except (queue.Empty, StopIteration):
                break
            if token is not None:
                tokens.append(token)
        return tokens

    def finish(self) -> Story:
        """Wait for the end of the story and return its record; raises as `__next__` does."""
        for _ in self:
            pass
        return self.story

    def _accept(self, item: Token | NextTokens | BaseException | None) -> Token | None:
        """Return a token of the stream; None for a token of the prompt."""
        if isinstance(item, Token):
            if self._of_prompt and item.draw is None:
                self._of_prompt -= 1
                prompt, ids = self._story.prompt + item.text, self._story.prompt_ids
                self._story = replace(
                    self._story, prompt=prompt, prompt_ids=(*ids, item.token_id), begins_with=""
                )
                return None
            self._tokens.append(item)
            return item
        self.done = True
        raise_failure(item)
        raise StopIteration

    @property
    def story(self) -> Story:
        """Return the record so far, the story that was continued included."""
        tokens = (*self._story.tokens, *self._tokens)
        return replace(self._story, tokens=tokens, ended=self._sequence.ended and self.done)

    def close(self) -> None:
        """Stop writing. Tokens that were written and not yet read still belong to the story."""
        leave(self._sequence)
        self.take()
        self.done = True

    def __enter__(self) -> Stream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def raise_failure(item: object) -> None:
    """Raise the error that ended a story, if `item` is one; an engine's failure as RuntimeError."""
    if isinstance(item, ValueError):
        raise item
    if isinstance(item, BaseException):
        raise RuntimeError("the model stopped working; start the playground again") from item


def leave(sequence: Sequence) -> None:
    """Cancel the sequence; the engine frees its slot at the next step."""
    sequence.cancelled = True
