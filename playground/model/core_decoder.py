"""Forward pass and choice of a token on a CPU, by the core in C (playground/core), with threads."""

from __future__ import annotations

import os
from itertools import count

import numpy as np

from playground.core.library import ALIGN, COLUMN, COLUMNS, Core, room
from playground.core.pack import pack
from playground.folder.config import context_of
from playground.folder.model_folder import ModelFolder
from playground.model.decoder import Chunk, Decoder


class CoreDecoder(Decoder):
    """The core as a `decoder.Decoder`.

    Attributes:
        threads: how many compute a step.
    """

    def __init__(self, storyteller: ModelFolder, threads: int | None = None) -> None:
        self.context = context_of(storyteller.config)
        self.threads = usable_cores() if threads is None else threads
        try:
            self._content = aligned(pack(storyteller.weights, storyteller.config).content)
        except ValueError as error:
            raise ValueError(f"{storyteller.folder}: {error}") from None
        sizes = [room(self._content, slots, self.context, self.threads) for slots in (1, 2)]
        self.bytes_per_token, self.bytes_per_slot = -((sizes[0] - sizes[1]) // self.context), 0
        self.tokens_per_step = COLUMNS * self.threads

    def reserve(self, slots: int, context: int) -> None:
        """See `decoder.Decoder`."""
        self.context = context
        try:
            self._core = Core(self._content, slots, context, self.threads)
        except ValueError:  # only memory can be missing: the content was checked above
            raise MemoryError from None
        self.head = self._core.head

    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """See `decoder.Decoder`."""
        return self._core.logits(columns_of(chunks))

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """See `decoder.Decoder`."""
        return self._core.step(columns_of(chunks), questions)


def aligned(content: bytes) -> np.ndarray:
    """Return a copy of bytes that begins at a multiple of ALIGN, so that the core can read its
    weights without another copy."""
    buffer = np.empty(len(content) + ALIGN, np.uint8)
    view = buffer[-buffer.ctypes.data % ALIGN :][: len(content)]
    view[:] = np.frombuffer(content, np.uint8)
    return view


def columns_of(chunks: list[Chunk]) -> np.ndarray:
    """Return a COLUMN for every token. The chunks' order numbers the questions; the longest chunk
    comes first, so that threads which take one after another end at about the same time."""
    number = count()
    columns = [
        [
            (token_id, chunk.slot, chunk.start + k, next(number) if k in chunk.asked else -1)
            for k, token_id in enumerate(chunk.ids)
        ]
        for chunk in chunks
    ]
    return np.array(
        [one for chunk in sorted(columns, key=len, reverse=True) for one in chunk], COLUMN
    )


def usable_cores() -> int:
    """Return the number of CPU cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        return os.cpu_count() or 1
