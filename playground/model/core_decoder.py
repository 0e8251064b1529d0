"""Forward pass and choice of a token on a CPU, by the core in C (playground/core), multithreaded.

A step distributes whole stories among the workers, about equal numbers of tokens each; every worker
makes one call of the core. The calling thread is one of the workers, so a single story never waits
for another thread.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate, count

import numpy as np

from playground.core.library import ALIGN, ANSWER, COLUMN, COLUMNS, Core, room
from playground.core.pack import pack
from playground.folder.config import context_of
from playground.folder.model_folder import ModelFolder
from playground.model.decoder import Chunk, Decoder


class CoreDecoder(Decoder):
    """The core as a `decoder.Decoder`.

    Attributes:
        workers: threads that compute a step.
    """

    def __init__(self, storyteller: ModelFolder, workers: int | None = None) -> None:
        self.context = context_of(storyteller.config)
        self.workers = usable_cores() if workers is None else workers
        try:
            self._content = aligned(pack(storyteller.weights, storyteller.config).content)
        except ValueError as error:
            raise ValueError(f"{storyteller.folder}: {error}") from None
        sizes = [room(self._content, slots, self.context, self.workers) for slots in (1, 2)]
        self.bytes_per_token, self.bytes_per_slot = -((sizes[0] - sizes[1]) // self.context), 0
        self.tokens_per_step = COLUMNS * self.workers
        self._threads = ThreadPoolExecutor(max(1, self.workers - 1), "core")

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        try:
            self._core = Core(self._content, slots, context, self.workers)
        except ValueError:  # only memory can be missing: the content was checked above
            raise MemoryError from None
        self.head = self._core.head

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        return self._core.logits(0, columns_of(chunks))

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """See `decoder.Decoder`."""
        shares = distribute([len(chunk.ids) for chunk in chunks], self.workers)
        if len(shares) == 1:
            return self._core.step(0, columns_of(chunks), questions)
        ends = list(accumulate(len(chunk.asked) for chunk in chunks))
        answers, others = np.empty(len(questions), ANSWER), []
        for worker in reversed(range(len(shares))):  # this thread computes worker 0's share, last
            share = shares[worker]
            asked = [
                number for k in share for number in range(ends[k] - len(chunks[k].asked), ends[k])
            ]
            call = (worker, columns_of([chunks[k] for k in share]), questions[asked])
            if worker:
                others.append((asked, self._threads.submit(self._core.step, *call)))
            else:
                answers[asked] = self._core.step(*call)
        for asked, future in others:
            answers[asked] = future.result()
        return answers


def aligned(content: bytes) -> np.ndarray:
    """Return a copy of bytes that begins at a multiple of ALIGN, so that the core can read its
    weights without another copy."""
    buffer = np.empty(len(content) + ALIGN, np.uint8)
    view = buffer[-buffer.ctypes.data % ALIGN :][: len(content)]
    view[:] = np.frombuffer(content, np.uint8)
    return view


def columns_of(chunks: list[Chunk]) -> np.ndarray:
    """Return a COLUMN for every token, in the chunks' order, which also numbers the questions."""
    number = count()
    return np.array(
        [
            (token_id, chunk.slot, chunk.start + k, next(number) if k in chunk.asked else -1)
            for chunk in chunks
            for k, token_id in enumerate(chunk.ids)
        ],
        COLUMN,
    )


def distribute(sizes: list[int], workers: int) -> list[list[int]]:
    """Return the stories of each worker, given their numbers of tokens: the longest story first, to
    the worker with the fewest tokens (LPT scheduling)."""
    shares: list[list[int]] = [[] for _ in range(min(workers, len(sizes)))]
    totals = [0] * len(shares)
    for number in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        least = totals.index(min(totals))
        shares[least].append(number)
        totals[least] += sizes[number]
    return shares


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
