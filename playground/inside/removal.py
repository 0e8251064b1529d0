"""Which earlier token mattered: how much less likely a token is without one of those before it.

A token is deleted and those after it move up, so positions close up too; then the model reads what
is left and the token's log-probability is compared with the one that it had. The engine scores the
shortened texts beside the stories of others; they share their beginnings in the cache.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator
from typing import NamedTuple

from playground.engine.engine import Busy, Engine
from playground.engine.stream import Stream

AT_ONCE = 8  # shortened texts that the engine has at the same time
REMOVED_MAX = 128  # tokens that are removed, one at a time: the nearest ones


class Removal(NamedTuple):
    """The effect of removing one token.

    Attributes:
        position: of the removed token in the window.
        change: of the chosen token's log-probability, in nats; below 0 where it became less likely.
    """

    position: int
    change: float


def removals(
    engine: Engine, window: list[int], chosen: int, first: int, seconds: float = math.inf
) -> Generator[Removal, None, None]:
    """Remove the tokens of `window` from `first` on, one at a time, from the nearest to the
    farthest, at most REMOVED_MAX; `chosen` is the token after the window.

    It ends early after some seconds, or when the engine takes no more stories.

    Raises:
        Busy: the engine takes no story at all.
    """

    def score(before: list[int]) -> Stream:
        return engine.score_soon([chosen], after=before, begins=False, alternatives=0)

    until = time.monotonic() + seconds
    whole = log_probability(score(window))
    first = max(first, len(window) - REMOVED_MAX, 1 if len(window) == 1 else 0)
    waiting = deque(reversed(range(first, len(window))))
    scored: deque[tuple[int, Stream]] = deque()
    try:
        while waiting or scored:
            while waiting and len(scored) < AT_ONCE:
                index = waiting[0]
                try:
                    stream = score(window[:index] + window[index + 1 :])
                except Busy:
                    break
                scored.append((waiting.popleft(), stream))
            if not scored or time.monotonic() > until:
                return
            index, stream = scored.popleft()
            yield Removal(index, log_probability(stream) - whole)
    finally:
        for _, stream in scored:
            stream.close()


def log_probability(stream: Stream) -> float:
    """Return the log-probability, in nats, of the one token that a stream scores; waits for the
    stream."""
    with stream:
        return math.log(max(next(stream).probability, 1e-300))
