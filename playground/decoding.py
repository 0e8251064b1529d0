"""The decode loop: many stories in one running batch, each with its record.

One thread owns the model. Between two steps stories join and leave: a step feeds one token of
every story that is being written and, beside them, pieces of new prompts, so nobody waits for
somebody else's prompt. A story whose reader stopped or is gone frees its place at the next step.

A story longer than the context goes on with its newest three quarters, fed again: the model then
sees what it was trained on, positions from 0. That window is prepared in a second place, a few
tokens beside each new one of the old window's last quarter, so nobody waits for it. Where the
window begins is a function of the number of tokens alone, so a story that is stopped and continued
is the one that was never stopped.

A place keeps what it holds until another story takes it. A story that begins alike, such as a
branch of the one before, finds its beginning there.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import replace

import torch

from playground.attention import Piece
from playground.foreign import Foreign
from playground.graph import fixed_rows
from playground.network import Network
from playground.sampling import Settings
from playground.stories.story import Story
from playground.storyteller import Storyteller
from playground.stream import Stream, Work
from playground.telling import Teller

PIECE = 64  # tokens of a prompt that are fed at once
PROMPTS = 128  # tokens of prompts in one step, so that running stories go on at their pace
AHEAD = 4  # tokens of the next window that are fed beside a new one; three would just do
TEXT_MAX = 100_000  # bytes of a prompt


class Busy(ValueError):  # noqa: N818, a state and not an error
    """There is no place for one more story now."""


def common(one: list[int], other: list[int]) -> int:
    """Number of tokens with which both begin."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count


class Engine:
    """One model and the thread that owns it."""

    def __init__(
        self, storyteller: Storyteller, *, max_streams: int = 32, max_waiting: int = 64
    ) -> None:
        self.storyteller = storyteller
        self.max_streams = max_streams
        self.max_waiting = max_waiting
        self._places = range(2 * max_streams)  # a story may need a second one for its next window
        self._held: list[list[int]] = [[] for _ in self._places]  # tokens in free places
        self._running: list[Work] = []
        self._waiting: list[Work] = []
        self._wake = threading.Condition()
        self._closed = False
        opened: Future[Network | Foreign] = Future()
        self._thread = threading.Thread(
            target=self._run, args=(opened,), name="storyteller", daemon=True
        )
        self._thread.start()
        self._network: Network | Foreign = opened.result()
        self._context = self._network.context

    def write(self, prompt: str, settings: Settings, *, after: Story | None = None) -> Stream:
        """Write a story after a prompt, or `settings.length` more tokens after a story.

        Raises:
            Busy: too many stories are waiting.
            ValueError: the prompt is not text or too long, or the story is another model's.
        """
        if after is None:
            ids = self._prompt_ids(prompt)
            story = Story(
                self.storyteller.fingerprint, settings, prompt, tuple(ids), (), ended=False
            )
            return self._start(story)
        self._check_model(after)
        return self._start(replace(after, settings=settings))

    def branch(
        self, story: Story, position: int, token_id: int, settings: Settings | None = None
    ) -> Stream:
        """The story up to `position`, another token there, and on from it.

        The stream's first token is the other one, with its record.

        Raises:
            ValueError: there is no such position or token, or the story is another model's.
            Busy: too many stories are waiting.
        """
        self._check_model(story)
        if not 0 <= position < len(story.tokens):
            raise ValueError(f"position must be from 0 to {len(story.tokens) - 1}, not {position}.")
        if not 0 <= token_id < self._network.head.vocabulary:
            raise ValueError(
                f"token_id must be from 0 to {self._network.head.vocabulary - 1}, not {token_id}."
            )
        told = replace(story, tokens=story.tokens[:position], settings=settings or story.settings)
        return self._start(told, token_id)

    def score(self, text: str) -> Story:
        """The record of a text that a person typed: every token with what the model thought of it.

        Raises:
            ValueError: the text is empty or too long.
            Busy: too many stories are waiting.
        """
        ids = self._prompt_ids(text)
        if not ids:
            raise ValueError("there is no text to look at: type some words.")
        story = Story(
            self.storyteller.fingerprint, Settings(temperature=1, top_k=0), "", (), (), ended=False
        )
        begin = self._beginning()
        work = Work(story.settings, [*begin, *ids], 0, 0, scored=len(begin))
        stream = self._enter(work, story)
        for _ in stream:
            pass
        return stream.story

    def close(self) -> None:
        """Stop the thread; running stories end where they are."""
        with self._wake:
            self._closed = True
            self._wake.notify()
        self._thread.join()

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _beginning(self) -> list[int]:
        """The token before every story."""
        return [] if self.storyteller.start is None else [self.storyteller.start]

    def _prompt_ids(self, prompt: str) -> list[int]:
        if not isinstance(prompt, str):
            raise ValueError("the prompt must be text.")
        try:
            size = len(prompt.encode())
        except UnicodeEncodeError:
            raise ValueError("the prompt holds half a character: type it again.") from None
        if size > TEXT_MAX:
            raise ValueError(
                f"the prompt has {size:,} bytes; {TEXT_MAX:,} are the most: shorten it."
            )
        return self.storyteller.encode(prompt)

    def _check_model(self, story: Story) -> None:
        if story.model != self.storyteller.fingerprint:
            raise ValueError(
                "this story was told by another model: open that one to go on with it."
            )
        highest = max([*story.prompt_ids, *(token.token_id for token in story.tokens)], default=0)
        if highest >= self._network.head.vocabulary:
            raise ValueError(f"this story holds a token, {highest}, that its model does not have.")

    def _start(self, story: Story, *typed: int) -> Stream:
        """Go on from a story and some tokens after it, which a person chose."""
        known = [*story.prompt_ids, *(token.token_id for token in story.tokens)]
        ids = [*self._beginning(), *known]
        if not ids:
            raise ValueError("this model needs a prompt: type some words.")
        settings, position = story.settings, len(story.tokens) + len(typed)
        work = Work(settings, [*ids, *typed], settings.length, position, scored=len(ids))
        for token in story.tokens:
            work.letters.add(self.storyteller.piece(token.token_id))
        return self._enter(work, replace(story, ended=False))

    def _enter(self, work: Work, story: Story) -> Stream:
        work.first = self._window(work.scored)
        with self._wake:
            if self._closed:
                raise ValueError("the playground is closing: start it again.")
            waiting = [other for other in self._waiting if not other.gone]
            if len(waiting) + len(self._running) >= self.max_waiting + self.max_streams:
                raise Busy(f"{len(waiting)} stories are waiting already: try again in a moment.")
            self._waiting = [*waiting, work]
            self._wake.notify()
        return Stream(work, story)

    def _window(self, count: int) -> int:
        """Index of the oldest of `count` tokens that the model sees."""
        step = max(1, self._context // 4)
        return max(0, -(-(count - self._context) // step)) * step

    # What follows runs in the engine's thread.

    def _run(self, opened: Future[Network | Foreign]) -> None:
        # The network is opened here because OpenMP keeps a team of threads for every thread that
        # computes: with a second team on two cores, each product waits to be woken (2.7 times).
        try:
            places, device = len(self._places), self.storyteller.device
            if device.type == "cuda":
                torch.cuda.set_device(device)  # for this thread: streams and graphs are made there
            self._network = (
                Network(self.storyteller, places, fixed_rows(device, self.max_streams))
                if self.storyteller.is_own_shape
                else Foreign(self.storyteller, places)
            )
            self._teller = Teller(self.storyteller, self._network.head, self._network.idle)
        except BaseException as error:
            opened.set_exception(error)
            return
        opened.set_result(self._network)
        try:
            while self._admit():
                self._step()
        except BaseException as error:  # every reader must hear of it
            with self._wake:
                self._closed = True
            for work in [*self._running, *self._waiting]:
                work.out.put(error)
            raise
        for work in [*self._running, *self._waiting]:
            work.out.put(None)

    def _admit(self) -> bool:
        """Let stories join and leave; wait while there are none. False when the engine closes."""
        with self._wake:
            while True:
                if self._closed:
                    return False
                for work in [work for work in self._running if work.gone]:
                    self._finish(work)
                for work in [work for work in self._waiting if work.gone]:
                    self._waiting.remove(work)
                    work.out.put(None)
                while self._waiting and len(self._running) < self.max_streams:
                    work = self._waiting.pop(0)
                    self._settle(work)
                    self._running.append(work)
                if self._running:
                    return True
                self._wake.wait()

    def _free(self) -> list[int]:
        """The places that no story has."""
        taken = {place for work in self._running for place in (work.place, work.ahead)}
        return [place for place in self._places if place not in taken]

    def _settle(self, work: Work) -> None:
        """Give a story the free place that holds most of its beginning, the lowest of equals."""
        window = work.ids[work.first : work.scored - 1]  # what needs no answer
        known = {place: common(self._held[place], window) for place in self._free()}
        work.place = max(known, key=lambda place: (known[place], -place))
        work.fed = known[work.place]

    def _prepare(self, work: Work) -> Piece | None:
        """Some tokens of the window that comes after this one, in this one's last quarter."""
        step = self._window(self._context + 1)
        if work.fed < self._context - step or work.fed + work.count <= self._context:
            return None  # too early, or the story ends before
        if work.ahead is None:
            work.ahead, work.ready = self._free()[-1], 0
        start = work.first + step + work.ready
        ids = work.ids[start : start + AHEAD]
        return Piece(work.ahead, work.ready, ids) if ids else None

    def _step(self) -> None:
        """Feed every running story and write down what it says."""
        fed: list[tuple[Piece, Work]] = []
        prepared: list[tuple[Piece, Work]] = []
        budget = PROMPTS
        for work in list(self._running):
            end = work.first + min(work.fed + PIECE, self._context)
            ids = work.ids[work.first + work.fed : end]
            if len(ids) > 1:
                if len(ids) > budget:
                    continue
                budget -= len(ids)
                self._running.remove(work)  # prompts take turns
                self._running.append(work)
            elif ahead := self._prepare(work):
                prepared.append((ahead, work))
            assert work.place is not None
            fed.append((Piece(work.place, work.fed, ids), work))
        fed.sort(key=lambda one: one[0].place)
        states = self._network.feed([piece for piece, _ in (*fed, *prepared)])
        asked: list[tuple[Work, int, int | None]] = []  # story, row, the id that follows if known
        row = 0
        for piece, work in fed:
            known = work.first + work.fed
            for offset in range(len(piece.ids)):
                following = known + offset + 1
                if following == len(work.ids):
                    if work.count:
                        asked.append((work, row + offset, None))
                        work.scored = following + 1
                elif following >= work.scored:
                    asked.append((work, row + offset, work.ids[following]))
                    work.scored = following + 1
            work.fed += len(piece.ids)
            row += len(piece.ids)
        for piece, work in prepared:
            work.ready += len(piece.ids)
        for work, token in self._teller.tell(states, asked):
            if token is None:  # the story's end
                work.ended = True
                work.count = 0
                continue
            work.out.put(token)
        for _, work in fed:
            self._advance(work)

    def _advance(self, work: Work) -> None:
        """After a step: end a story, or slide its window."""
        if work.first + work.fed == len(work.ids) and not work.count:
            self._finish(work)
        elif work.fed == self._context:
            self._leave(work)
            work.first = self._window(work.first + work.fed + 1)
            if work.ahead is None:
                work.fed = 0
            else:
                work.place, work.fed, work.ahead = work.ahead, work.ready, None

    def _finish(self, work: Work) -> None:
        self._running.remove(work)
        self._leave(work)
        work.place = work.ahead = None
        work.out.put(None)

    def _leave(self, work: Work) -> None:
        """Note what a story's place holds."""
        assert work.place is not None
        self._held[work.place] = work.ids[work.first : work.first + work.fed]
        if work.ahead is not None:
            self._held[work.ahead] = []
