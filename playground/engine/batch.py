"""The running batch: which stories are written together, where the cache holds them, and what a
step feeds of each.

A step feeds one token of every story that is being written and, beside them, pieces of new
prompts, so nobody waits for somebody else's prompt.

A story longer than the context goes on with its newest three quarters, fed again: the model then
sees what it was trained on, positions from 0. That window is prepared in a second place, a few
tokens beside each new one of the old window's last quarter, so nobody waits for it. Where the
window begins is a function of the number of tokens alone, so a story that is stopped and continued
is the one that was never stopped.

A place keeps what it holds until another story takes it. A story that begins alike, such as a
branch of the one before, finds its beginning there.
"""

from __future__ import annotations

from playground.engine.sampler import Teller
from playground.engine.stream import Work
from playground.model.attention import Piece
from playground.model.decoder import Network
from playground.model.transformers_decoder import Foreign

PIECE = 64  # tokens of a prompt that are fed at once
PROMPTS = 128  # tokens of prompts in one step, so that running stories go on at their pace
AHEAD = 4  # tokens of the next window that are fed beside a new one; three would just do


class Batch:
    """Stories that are being written, each in a place of the network's cache.

    Attributes:
        running: the stories, in the order in which their prompts take turns.
    """

    def __init__(self, network: Network | Foreign, teller: Teller, places: int) -> None:
        """`places` is that of the network's cache; a story may need two."""
        self._network, self._teller = network, teller
        self._context = network.context
        self._places = range(places)
        self._held: list[list[int]] = [[] for _ in self._places]  # tokens in free places
        self.running: list[Work] = []

    def add(self, work: Work) -> None:
        """Give a story the free place that holds most of its beginning, the lowest of equals."""
        work.first = self._window(work.scored)
        window = work.ids[work.first : work.scored - 1]  # what needs no answer
        known = {place: common(self._held[place], window) for place in self._free()}
        work.place = max(known, key=lambda place: (known[place], -place))
        work.fed = known[work.place]
        self.running.append(work)

    def remove(self, work: Work) -> None:
        """End a story where it is; its place is free."""
        self.running.remove(work)
        self._leave(work)
        work.place = work.ahead = None
        work.out.put(None)

    def step(self) -> None:
        """Feed every running story and write down what it says."""
        fed: list[tuple[Piece, Work]] = []
        prepared: list[tuple[Piece, Work]] = []
        budget = PROMPTS
        for work in list(self.running):
            end = work.first + min(work.fed + PIECE, self._context)
            ids = work.ids[work.first + work.fed : end]
            if len(ids) > 1:
                if len(ids) > budget:
                    continue
                budget -= len(ids)
                self.running.remove(work)  # prompts take turns
                self.running.append(work)
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

    def _window(self, count: int) -> int:
        """Index of the oldest of `count` tokens that the model sees."""
        step = max(1, self._context // 4)
        return max(0, -(-(count - self._context) // step)) * step

    def _free(self) -> list[int]:
        """The places that no story has."""
        taken = {place for work in self.running for place in (work.place, work.ahead)}
        return [place for place in self._places if place not in taken]

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

    def _advance(self, work: Work) -> None:
        """After a step: end a story, or slide its window."""
        if work.first + work.fed == len(work.ids) and not work.count:
            self.remove(work)
        elif work.fed == self._context:
            self._leave(work)
            work.first = self._window(work.first + work.fed + 1)
            if work.ahead is None:
                work.fed = 0
            else:
                work.place, work.fed, work.ahead = work.ahead, work.ready, None

    def _leave(self, work: Work) -> None:
        """Note what a story's place holds."""
        assert work.place is not None
        self._held[work.place] = work.ids[work.first : work.first + work.fed]
        if work.ahead is not None:
            self._held[work.ahead] = []


def common(one: list[int], other: list[int]) -> int:
    """Number of tokens with which both begin."""
    count = 0
    for left, right in zip(one, other, strict=False):
        if left != right:
            break
        count += 1
    return count
