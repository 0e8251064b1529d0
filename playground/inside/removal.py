"""Importance of earlier tokens: how much less likely a token becomes when one of them is deleted.

Later tokens, and so their positions, move up; the log-probability of the chosen token after the
shortened text is compared with the original one. The engine scores the shortened texts beside the
stories of others; they share prefixes in the KV cache.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Generator
from typing import NamedTuple

from playground.engine.engine import Busy, Engine
from playground.engine.stream import Stream

AT_ONCE = 8  # shortened texts in the engine at the same time
REMOVED_MAX = 128  # tokens that are deleted, the nearest ones


class Removal(NamedTuple):
    """The effect of deleting one token.

    Attributes:
        position: of the deleted token in the window.
        change: of the chosen token's log-probability, in nats; negative if it became less likely.
    """

    position: int
    change: float


def removals(
    engine: Engine, window: list[int], chosen: int, first: int, seconds: float = math.inf
) -> Generator[Removal, None, None]:
    """Yield the effect of deleting each token of `window` from `first` on, the nearest first, at
    most REMOVED_MAX. `chosen`: the token after the window.

    Ends early after `seconds`, or when the engine does not accept more stories.

    Raises:
        Busy: the engine does not accept any story.
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
    """Wait for a stream that scores one token, and return its log-probability in nats."""
    with stream:
        return math.log(max(next(stream).probability, 1e-300))
