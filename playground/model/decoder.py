"""The interface of decoders, which compute steps of several stories, and how to open one."""

from __future__ import annotations

import sys
from abc import abstractmethod
from typing import Protocol

import numpy as np

from playground.core.library import ANSWER, QUESTION, Chunk, Core, Head
from playground.core.pack import pack
from playground.folder.families import family_of
from playground.folder.model_folder import ModelFolder
from playground.model.memory import SLOTS_PER_STORY, free_memory, room_for
from playground.sentences import first_line


class Decoder(Protocol):
    """A causal model with a KV cache of several stories, each in a slot.

    Attributes:
        context: length of the context window in tokens; before `reserve`, the model's own.
        head: which ids share a row of logits; set by `reserve`.
        bytes_per_token: of a slot's cache.
        bytes_per_slot: in addition to those of its tokens.
        tokens_per_step: more in a step take longer and save nothing.
    """

    context: int
    head: Head
    bytes_per_token: int
    bytes_per_slot: int
    tokens_per_step: int = 64

    @abstractmethod
    def reserve(self, slots: int, context: int) -> None:
        """Allocate the KV cache for `slots` stories of `context` tokens.

        Raises:
            MemoryError: memory does not suffice.
        """

    @abstractmethod
    def logits(self, chunks: list[Chunk]) -> np.ndarray:
        """Process the next tokens of some stories, at most one chunk per slot.

        Returns:
            (asked tokens of all chunks, unique) fp32: the logits of each next token.
        """

    def step(self, chunks: list[Chunk], questions: np.ndarray) -> np.ndarray:
        """Process the next tokens of some stories, at most one chunk per slot, and answer a
        question about the token after each asked token: QUESTION and ANSWER arrays in the chunks'
        order."""
        answers = np.zeros(len(questions), ANSWER)
        for number, logits in enumerate(self.logits(chunks)):
            answers[number] = self.head.answer(logits, questions[number])
        return answers


def open_decoder(storyteller: ModelFolder, threads: int | None = None) -> Decoder:
    """Return a decoder: the core's or the GPU's for a model of FAMILIES, else transformers'.
    `threads`: of the core; None for one per CPU core.

    Raises:
        ValueError: weights are missing or have the wrong shape, or the model is not a causal
            language model.
    """
    try:
        if family_of(storyteller.config) is None:
            from playground.model.transformers_decoder import TransformersDecoder

            return TransformersDecoder(storyteller)
        if storyteller.device == "cpu":
            return open_core(storyteller, threads)
        from playground.model.cuda_decoder import CudaDecoder

        return CudaDecoder(storyteller)
    except MemoryError:
        raise ValueError(out_of_memory_message(storyteller)) from None


def open_core(storyteller: ModelFolder, threads: int | None) -> Core:
    """Return the core with a model; ValueError as `open_decoder`."""
    try:
        return Core(pack(storyteller.weights, storyteller.config).content, threads)
    except ValueError as error:
        raise ValueError(f"{storyteller.folder}: {error}") from None


def out_of_memory_message(storyteller: ModelFolder) -> str:
    """Return the message for memory that does not hold a model and one story."""
    return (
        f"out of memory: {storyteller.folder} and one story do not fit on {storyteller.device}: "
        "close other programs, or use more --memory, or --device cpu."
    )


def allocate_cache(
    decoder: Decoder, storyteller: ModelFolder, streams: int, memory: int | None = None
) -> int:
    """Allocate the KV cache for `streams` stories of full context. If `memory` (bytes, by default
    half of the free memory) is too small, use fewer, then shorter stories, with a warning. Other
    processes can take memory too, so a failed allocation halves the number of stories.

    Returns:
        the number of stories.

    Raises:
        ValueError: memory does not suffice for one story.
    """
    device, wanted = storyteller.device, (streams, decoder.context)
    memory = free_memory(device) // 2 if memory is None else memory
    room = room_for(*wanted, decoder.bytes_per_token, decoder.bytes_per_slot, memory)
    while room is not None:
        try:
            decoder.reserve(SLOTS_PER_STORY * room.streams, room.context)
            break
        except MemoryError:
            room = room._replace(streams=room.streams // 2) if room.streams > 1 else None
    if room is None:
        raise ValueError(out_of_memory_message(storyteller))
    if room != wanted:
        stories = "one story" if room.streams == 1 else f"{room.streams} stories at once"
        print(
            f"{storyteller.facts.name}: the memory holds {stories} of {room.context:,} tokens "
            f"each, not {wanted[0]} of {wanted[1]:,} (--memory sets how much they may use)",
            file=sys.stderr,
        )
    return room.streams


def check_decoder(decoder: Decoder, storyteller: ModelFolder) -> None:
    """Compute one token, so that a broken model is refused when it is opened.

    Raises:
        ValueError: the model cannot be computed.
    """
    start = storyteller.bos_id
    if start >= decoder.head.ids:
        raise ValueError(
            f"the tokenizer in {storyteller.folder} belongs to another model: it begins stories "
            f"with the token {start}, and the model has {decoder.head.ids:,}."
        )
    question = np.zeros(1, QUESTION)
    question["repetition_penalty"] = 1
    try:
        decoder.step([Chunk(0, 0, [start], range(1))], question)
    except MemoryError:
        raise ValueError(out_of_memory_message(storyteller)) from None
    except (RuntimeError, IndexError) as error:
        raise ValueError(
            f"the model in {storyteller.folder} cannot be computed ({first_line(error)}): export "
            "or copy it again."
        ) from None
