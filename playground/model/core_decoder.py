"""The forward pass and the choice on a CPU: the core in C (playground/core), a thread per worker.

A step shares its stories out among the workers, whole stories, so that all have about as many
tokens to feed; each worker is one call that feeds and answers. The calling thread is one of them,
so a story that is written alone is never handed over.
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
    """The core; see `decoder.Decoder` for what it offers.

    Attributes:
        workers: threads that compute a step.
    """

    def __init__(self, storyteller: ModelFolder, workers: int | None = None) -> None:
        self.context = context_of(storyteller.config)
        self.workers = usable_cores() if workers is None else workers
        try:
            self._content = in_whole_lines(pack(storyteller.weights, storyteller.config).content)
        except ValueError as error:
            raise ValueError(f"{storyteller.folder}: {error}") from None
        one, two = (room(self._content, slots, self.context, self.workers) for slots in (1, 2))
        self.bytes_per_token, self.bytes_per_slot = -(-(two - one) // self.context), 0
        self.tokens_per_step = COLUMNS * self.workers
        self._threads = ThreadPoolExecutor(max(1, self.workers - 1), "core")

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        try:
            self._core = Core(self._content, slots, context, self.workers)
        except ValueError:  # the file is known to be good
            raise MemoryError from None
        self.head = self._core.head

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        return self._core.logits(0, columns_of(chunks))

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """See `decoder.Decoder`."""
        shares = share_out([len(chunk.ids) for chunk in chunks], self.workers)
        if len(shares) == 1:
            return self._core.step(0, columns_of(chunks), questions)
        ends = list(accumulate(len(chunk.asked) for chunk in chunks))
        answers, others = np.empty(len(questions), ANSWER), []
        for worker in reversed(range(len(shares))):  # this thread's own share comes last
            share = shares[worker]
            asked = [
                number for k in share for number in range(ends[k] - len(chunks[k].asked), ends[k])
            ]
            call = (worker, columns_of([chunks[k] for k in share]), questions[asked])
            if worker:
                others.append((asked, self._threads.submit(self._core.step, *call)))
            else:
                answers[asked] = self._core.step(*call)
        for asked, found in others:
            answers[asked] = found.result()
        return answers


def in_whole_lines(content: bytes) -> np.ndarray:
    """Bytes that begin with a line of memory, so that the core reads them where they are."""
    lines = np.empty(len(content) + ALIGN, np.uint8)
    found = lines[-lines.ctypes.data % ALIGN :][: len(content)]
    found[:] = np.frombuffer(content, np.uint8)
    return found


def columns_of(chunks: list[Chunk]) -> np.ndarray:
    """Return a COLUMN of every token, in the chunks' order, in which their questions are numbered."""
    number = count()
    return np.array(
        [
            (token_id, chunk.slot, chunk.start + k, next(number) if k in chunk.asked else -1)
            for chunk in chunks
            for k, token_id in enumerate(chunk.ids)
        ],
        COLUMN,
    )


def share_out(sizes: list[int], workers: int) -> list[list[int]]:
    """Return which stories each worker gets, by their numbers of tokens: the longest first, to whom
    has least."""
    shares: list[list[int]] = [[] for _ in range(min(workers, len(sizes)))]
    totals = [0] * len(shares)
    for number in sorted(range(len(sizes)), key=lambda k: -sizes[k]):
        least = totals.index(min(totals))
        shares[least].append(number)
        totals[least] += sizes[number]
    return shares


def usable_cores() -> int:
    """Return the processor's cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
